"""What a run's controller has learnt: the probabilities of its choices and its embeddings of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ambient.child.threads import one_thread
from ambient.report.flows import Chosen
from ambient.report.run_folder import RunFolder
from ambient.report.standard import CATEGORIES, category_of
from ambient.search.run_folder import CHECKPOINTS

if TYPE_CHECKING:
    from torch import Tensor

    from ambient.controller.card import Controller
    from ambient.controller.policy import Policy
    from descriptors.record import Descriptors

__all__ = ["Embedded", "Learnt", "embedded", "learnt_in", "learnt_of", "probabilities", "proposed"]

AMBER = ("amber", "amber-reinforce")  # methods of one task that learn this policy
MOST_TASKS = 30  # of a category; of more, so many that are spread over their names
SAMPLES = 8_000  # architectures that are drawn for the probabilities, over all tasks
BEAM = 32  # beginnings that are kept at each decision on the way to the most probable architectures


@dataclass(frozen=True, eq=False)
class Learnt:
    """A policy, and what it reads of each task."""

    policy: Policy
    vectors: Mapping[str, Tensor]  # of each task, float32, (2 D,)
    groups: Mapping[str, str]  # of each of these tasks

    @property
    def members(self) -> dict[str, list[str]]:
        """The tasks of each group, at most `MOST_TASKS`, in the order of the categories."""
        found: dict[str, list[str]] = {}
        order = {name: place for place, name in enumerate(CATEGORIES)}
        for task in sorted(self.vectors, key=lambda name: (order.get(self.groups[name], 99), name)):
            found.setdefault(self.groups[task], []).append(task)
        return {
            group: [tasks[at] for at in np.linspace(0, len(tasks) - 1, MOST_TASKS).astype(int)]
            if len(tasks) > MOST_TASKS
            else tasks
            for group, tasks in found.items()
        }


def learnt_of(
    controller: Controller, described: Mapping[str, Descriptors], groups: Mapping[str, str]
) -> Learnt:
    """Give what a controller has learnt, for tasks that are described.

    Parameters
    ----------
    controller : Controller
    described : mapping of str to Descriptors
    groups : mapping of str to str
        Task to category.
    """
    import torch

    vectors = {
        name: torch.from_numpy(controller.scaler.transform(one)) for name, one in described.items()
    }
    return Learnt(controller.policy, vectors, {name: groups.get(name, "other") for name in vectors})


def learnt_in(run: RunFolder) -> Learnt | None:
    """Read what the controller of a run has learnt; None where the run has none.

    Raises
    ------
    RunError
        The controller, or the checkpoint of a search, is damaged.
    """
    if run.method is not None:
        return _learnt_in_search(run)
    if run.descriptors is None or not (run.path / "controller" / "card.json").is_file():
        return None
    from ambient.controller.card import Controller
    from descriptors.record import Descriptors

    described = {
        name: Descriptors.from_json(json.dumps(one), f"{run.path}, {name}")
        for name, one in run.descriptors.items()
    }
    groups = {name: category_of(one) for name, one in run.descriptors.items()}
    return learnt_of(Controller.load(run.path), described, groups)


def _learnt_in_search(run: RunFolder) -> Learnt | None:
    """Read the policy of AMBER from the last checkpoint; other searchers have none of this kind."""
    folder = run.path / CHECKPOINTS
    if run.method not in AMBER or run.space is None or not any(folder.glob("step-*.json")):
        return None
    from ambient.controller.checkpoint import read_checkpoint

    state: Any = read_checkpoint(folder)[0]["search"]["searcher"]
    if not state["buffer"]:
        return None
    from ambient.controller.policy import Policy, PolicyConfig

    newest = max(state["buffer"].items(), key=lambda entry: int(entry[0]))[1]
    vector = newest["descriptors"][0]
    shape = PolicyConfig(**state["identity"]["config"]["policy"])
    policy = Policy(run.space, shape, len(vector) // 2)
    policy.load_state_dict(state["policy"])
    policy.requires_grad_(False)
    task = newest["tasks"][0]
    return Learnt(policy, {task: vector}, {task: task})


def proposed(learnt: Learnt, top: int) -> list[Chosen]:
    """Give the most probable architectures of each task, by their probability among these."""
    from ambient.controller.beam import beam

    found = []
    with one_thread():  # the tensors are small
        for group, tasks in learnt.members.items():
            for task in tasks:
                ((tokens, logs),) = beam(learnt.policy, learnt.vectors[task][None], max(top, BEAM))
                weights = np.exp(logs[:top].double().numpy())
                found += [
                    Chosen(group, task, tuple(row), float(weight / weights.sum()))
                    for row, weight in zip(tokens[:top].tolist(), weights, strict=True)
                ]
    return found


def probabilities(learnt: Learnt) -> dict[str, list[np.ndarray]]:
    """Give the probability of each choice, for each group of tasks.

    Returns
    -------
    dict of str to list of ndarray
        For each group, for each decision of the space, float64, shape (choices,): its mean over architectures that
        the policy draws for the group's tasks and to which the decision applies; nan where it applies to none.
    """
    import torch

    members = learnt.members
    each = max(32, min(512, SAMPLES // sum(map(len, members.values()))))
    generator = torch.Generator().manual_seed(0)
    found = {}
    for group, tasks in members.items():
        rows = torch.stack([learnt.vectors[task] for task in tasks for _ in range(each)])
        with one_thread():
            tokens = learnt.policy.sample(rows, generator)[0].numpy()
        found[group] = [
            shares_of(column, len(decision.choices))
            for column, decision in zip(tokens.T, learnt.policy.space.decisions, strict=True)
        ]
    return found


def shares_of(tokens: np.ndarray, choices: int) -> np.ndarray:
    """Give the share of each choice, shape (choices,), among the tokens of a decision that are not -1."""
    counts = np.bincount(tokens[tokens >= 0], minlength=choices).astype(np.float64)
    return counts / counts.sum() if counts.sum() else np.full(choices, np.nan)


@dataclass(frozen=True)
class Embedded:
    """The embedding of one choice."""

    group: str  # decisions that share the embedding
    decision: int  # the first of them
    token: int
    vector: np.ndarray  # float32


def embedded(policy: Policy) -> list[Embedded]:
    """Give the embeddings of all choices; decisions that share them give theirs once."""
    found = []
    for name in policy.embeddings:
        index = int(name.removeprefix("decision_"))
        decision = policy.space.decisions[index]
        weights = policy.get_parameter(f"embeddings.{name}.weight").detach().numpy()
        found += [
            Embedded(decision.shares or decision.name, index, token, vector)
            for token, vector in enumerate(weights)
        ]
    return found
