"""ENAS: a controller that learns from children which share their weights."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ambient.child.fidelity import Fidelity
from ambient.controller.baselines import check_metric, reward
from ambient.controller.policy import INACTIVE, Policy, PolicyConfig, along
from ambient.controller.ppo import normalise_advantages
from ambient.errors import RunError
from ambient.evaluate.records import Evaluation, Request
from ambient.evaluate.supernet import SupernetEngine
from ambient.search.identity import check_identity, identity_of
from ambient.space import Architecture, SearchSpace

__all__ = ["EnasConfig", "EnasSearcher", "skip_divergence"]

Refusal = Callable[[Architecture], str | None]


@dataclass(frozen=True)
class EnasConfig:
    """Every constant of the search by shared weights.

    Where a constant names ENAS, it is that of its authors' released macro search (Pham et al. 2018,
    Efficient Neural Architecture Search via Parameter Sharing).
    """

    architectures: int = 100  # sampled and judged for each controller step
    warm_up_passes: int = 1  # over the training windows, before the controller's first step
    child_steps: int = 50  # minibatches that train the supernet, before the controller's turn
    controller_steps: int = 1  # in each of the controller's turns
    child_learning_rate: float = 0.001  # of Adam, over the shared weights
    controller_learning_rate: float = 0.001  # of Adam, over the policy (ENAS)
    metric: str = "validation_auroc"  # or "validation_minus_loss"
    judged_windows: int = 256  # validation windows, the same for all that one step samples
    entropy_weight: float = 0.0001  # bonus for each nat of entropy (ENAS)
    skip_target: float = 0.4  # share of skips that is aimed at (ENAS)
    skip_weight: float = 0.8  # of the divergence from it, in nats for each layer (ENAS); 0: free
    gradient_norm: float = 5.0  # longer gradients of the policy are shortened to it
    policy: PolicyConfig = field(default_factory=lambda: PolicyConfig(hidden=64))

    def __post_init__(self) -> None:
        check_metric(self.metric)
        for name in ("architectures", "child_steps", "controller_steps", "judged_windows"):
            self._check(name, getattr(self, name) >= 1, "at least 1")
        for name in ("child_learning_rate", "controller_learning_rate", "gradient_norm"):
            self._check(name, getattr(self, name) > 0, "more than 0")
        for name in ("warm_up_passes", "entropy_weight", "skip_weight"):
            self._check(name, getattr(self, name) >= 0, "0 or more")
        self._check("skip_target", 0 < self.skip_target < 1, "a share between 0 and 1")

    def _check(self, name: str, holds: bool, needed: str) -> None:
        if not holds:
            raise RunError(
                f"enas: found {name} = {getattr(self, name)}, needed {needed}; correct it"
            )

    def to_dict(self) -> dict[str, Any]:
        """Give the configuration as a JSON value."""
        return asdict(self)


class EnasSearcher:
    """Trains a supernet between its steps, and asks it to judge what the controller samples.

    Before its first step it takes `warm_up_passes` over the training windows; before each of the
    controller's turns, `child_steps` minibatches, for each an architecture that the policy samples.
    Then `architectures` are sampled and judged on the same validation windows, and REINFORCE takes one
    step: their mean is the baseline, since they share what makes one minibatch harder than
    another.

    Parameters
    ----------
    space : SearchSpace
    task : str
        What it searches for.
    fidelity : Fidelity
        That of the supernet's engine.
    supernet : SupernetEngine
        What judges; its state is part of the searcher's.
    config : EnasConfig
    seed : int
        Of the policy and its samples.
    refuse : callable, optional
        Says of an architecture why it must not be chosen; None where it may be. What is refused
        is neither trained nor judged and earns the least of its step.

    Source
    ------
    Pham et al. 2018, section 2.2; Zhang et al. 2021 (AMBER), methods.
    """

    def __init__(
        self,
        space: SearchSpace,
        task: str,
        fidelity: Fidelity,
        supernet: SupernetEngine,
        config: EnasConfig | None = None,
        seed: int = 0,
        refuse: Refusal | None = None,
    ) -> None:
        self.config = config or EnasConfig()
        self._space, self._task, self._fidelity, self._seed = space, task, fidelity, seed
        self._refuse = refuse or (lambda architecture: None)
        self.supernet = supernet
        seeds = np.random.SeedSequence(seed).generate_state(2)
        self._generator = torch.Generator().manual_seed(int(seeds[0]))
        self.policy = Policy(space, self.config.policy, descriptor_count=1, seed=int(seeds[1]))
        self._optimiser = torch.optim.Adam(
            self.policy.parameters(), lr=self.config.controller_learning_rate
        )
        self._asked = 0  # steps
        self._open: deque[Tensor] = deque()  # tokens of each step that was asked and not yet told
        self._child_loss: float | None = None
        self.logs: Mapping[str, float] = {}

    def ask(self, count: int, /) -> list[Request]:
        """Train the supernet where it is its turn; then give what the controller samples, each once.

        None where every sample is refused.
        """
        config = self.config
        if self._asked == 0:
            self._train(config.warm_up_passes * self.supernet.steps_per_pass)
        if self._asked % config.controller_steps == 0:
            self._train(config.child_steps)
        tokens = self.sample(min(count, config.architectures))
        requests = self._requests(tokens)
        if requests:
            self._asked += 1
            self._open.append(tokens)
        return requests

    def sample(self, count: int) -> Tensor:
        """Draw architectures from the policy as it is: tokens, int64, shape (count, decisions)."""
        return self.policy.sample(_nothing(count), self._generator)[0]

    def _train(self, steps: int) -> None:
        if steps == 0:
            return
        drawn = [self._space.architecture(row) for row in self.sample(steps).tolist()]
        allowed = [one for one in drawn if self._refuse(one) is None]
        self._child_loss = self.supernet.train(allowed)

    def _requests(self, tokens: Tensor) -> list[Request]:
        """Ask once for each architecture that may be chosen."""
        drawn = {one.key: one for one in map(self._space.architecture, tokens.tolist())}
        return [
            Request(self._task, one, self._seed, self._fidelity)
            for one in drawn.values()
            if self._refuse(one) is None
        ]

    def tell(self, evaluations: Sequence[Evaluation], /) -> None:
        """Learn from all results of the oldest open step, in any order.

        Raises
        ------
        RunError
            No step waits, or these are not its results.
        """
        asked = (
            {one.architecture.key for one in self._requests(self._open[0])} if self._open else {}
        )
        told = {one.architecture.key: reward(one, self.config.metric) for one in evaluations}
        if not asked or set(told) != set(asked) or len(evaluations) != len(asked):
            raise RunError(
                f"enas: told {len(evaluations)} results, of which {len(set(told) & set(asked))} are of the "
                f"{len(asked)} that the oldest open step waits for; tell what `ask` gave, step by step"
            )
        tokens = self._open.popleft()
        earned = [told.get(self._space.architecture(row).key) for row in tokens.tolist()]
        known = [value for value in earned if value is not None]
        least = min(known, default=0.0)
        self._learn(tokens, torch.tensor([least if one is None else one for one in earned]), known)

    def _learn(self, tokens: Tensor, rewards: Tensor, known: Sequence[float]) -> None:
        """Take one step of REINFORCE; `known` are the rewards of those that were judged."""
        config = self.config
        advantages = normalise_advantages(rewards, rewards.mean().expand_as(rewards))
        choices = self.policy.read(_nothing(len(tokens)), tokens)
        log_probability, entropy = along(choices, tokens)
        divergence = skip_divergence(self._space, choices, tokens, config.skip_target)
        loss = (
            -(advantages * log_probability).mean()
            - config.entropy_weight * entropy.mean()
            + config.skip_weight * divergence.mean()
        )
        self._optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.policy.parameters(), config.gradient_norm)
        self._optimiser.step()
        taken = tokens[:, list(self._space.skips)]
        self.logs = {
            "reward": sum(known) / max(len(known), 1),
            "best": max(known, default=0.0),
            "entropy": float(entropy.detach().mean()),
            "gradient_norm": float(norm),
            "skips": float((taken == 1).sum() / max(int((taken != INACTIVE).sum()), 1)),
            "skip_divergence": float(divergence.detach().mean()),
            "supernet_steps": float(self.supernet.steps),
            **({} if self._child_loss is None else {"child_loss": self._child_loss}),
        }

    def open_steps(self) -> list[list[Request]]:
        """Give what was asked and not yet told, the oldest step first."""
        return [self._requests(tokens) for tokens in self._open]

    def state_dict(self) -> dict[str, Any]:
        """Give JSON values and tensors, those of the supernet included."""
        moments = self._optimiser.state_dict()["state"]
        return {
            "identity": self._identity(),
            "asked": self._asked,
            "child_loss": self._child_loss,
            "logs": dict(self.logs),
            "policy": dict(self.policy.state_dict()),
            "optimiser": {str(index): dict(values) for index, values in moments.items()},
            "generator": self._generator.get_state(),
            "open": {str(number): tokens for number, tokens in enumerate(self._open)},
            "supernet": self.supernet.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from where `state_dict` was taken; the supernet as well.

        Raises
        ------
        RunError
            The state is of another search.
        """
        check_identity(state["identity"], self._identity(), "enas")
        self._asked, self._child_loss = state["asked"], state["child_loss"]
        self.logs = dict(state["logs"])
        self.policy.load_state_dict(state["policy"])
        optimiser = self._optimiser.state_dict()
        optimiser["state"] = {int(i): dict(values) for i, values in state["optimiser"].items()}
        self._optimiser.load_state_dict(optimiser)
        self._generator.set_state(state["generator"])
        self._open = deque(state["open"][number] for number in sorted(state["open"], key=int))
        self.supernet.load_state_dict(state["supernet"])

    def _identity(self) -> dict[str, Any]:
        return identity_of(
            self._space, self._task, self._fidelity, self._seed, config=self.config.to_dict()
        )


def skip_divergence(space: SearchSpace, choices: Tensor, tokens: Tensor, target: float) -> Tensor:
    """Say how far the probabilities of skips are from a share that is aimed at.

    Parameters
    ----------
    space : SearchSpace
    choices : Tensor, float32, shape (decisions, batch, most choices)
        Log-probabilities of each decision, as `Policy.read` gives them.
    tokens : Tensor, int64, shape (batch, decisions)
        The architectures on whose way they were met; -1 where a decision was not active.
    target : float
        Share of skips, between 0 and 1.

    Returns
    -------
    Tensor, float32, shape (batch,)
        Kullback-Leibler divergence from (1 - target, target), in nats, 0 or more: summed over the
        skips to a layer, averaged over the layers that may be skipped to. Zeros where the space has
        no skips.
    """
    total = torch.zeros(len(tokens))
    aimed_at = torch.tensor([1 - target, target]).log()
    for index in space.skips:
        log_p = choices[index, :, : len(aimed_at)]
        each = (log_p.exp() * (log_p - aimed_at)).sum(dim=1)
        total = total + torch.where(tokens[:, index] >= 0, each, 0.0)
    reached = {skip[1] for skip in (space.decisions[index].skip for index in space.skips) if skip}
    return total / max(len(reached), 1)


def _nothing(rows: int) -> Tensor:
    """Give what a policy of one task has to read: zeros."""
    return torch.zeros(rows, 2)
