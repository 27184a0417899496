"""Architectures as flows, as shares of choices, as embeddings: the figures say what the tokens say."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from tiny_children import SPACE as TINY_SPACE

from ambient.controller.beam import beam
from ambient.controller.policy import Policy
from ambient.report.choices import choice_words
from ambient.report.embeddings import _label_sides, embedding_figure
from ambient.report.flows import Chosen, best_evaluated, flow_of, groups_of, shown_decisions
from ambient.report.journal import Evaluated
from ambient.report.learnt import Learnt, embedded, probabilities, proposed
from ambient.report.sankey import GAP, sankey_caption, sankey_figure
from ambient.report.selection import MOST_COLUMNS, selection_figure
from ambient.report.theme import ABSENT
from ambient.space import named_space, published_spaces

PLUS = named_space("ambient-plus")
GROUPS = {"Reb1": "tf", "Tbf1": "tf", "H4ac": "histone"}


def drawn(seed: int = 0, each: int = 6) -> list[Chosen]:
    """Draw architectures of `ambient-plus` for three tasks of two groups."""
    rng = np.random.default_rng(seed)
    found = []
    for task, group in GROUPS.items():
        weights = rng.dirichlet([1.0] * each)
        found += [Chosen(group, task, PLUS.sample(rng).tokens, float(w)) for w in weights]
    return found


def evaluated(task: str, tokens: tuple[int, ...], value: float | None = 0.5) -> Evaluated:
    state = "failed" if value is None else "done"
    return Evaluated(task, tokens, state, {"validation_auroc": value}, {})


@pytest.mark.parametrize("name", published_spaces())
def test_the_words_of_a_decisions_choices_tell_them_apart(name: str) -> None:
    for decision in named_space(name).decisions:
        words = [choice_words(decision, token) for token in range(len(decision.choices))]
        assert len(set(words)) == len(words), decision.name


def test_a_flow_is_the_sum_of_its_architectures_each_task_alike() -> None:
    chosen = drawn()
    decisions = shown_decisions(PLUS, chosen)
    flow = flow_of(chosen, "tf", decisions)
    assert flow.tasks == 2
    columns: list[Counter[int]] = [Counter() for _ in decisions]
    links: list[Counter[tuple[int, int]]] = [Counter() for _ in decisions[1:]]
    for one in chosen:
        if one.group == "tf":
            for at, index in enumerate(decisions):
                columns[at][one.tokens[index]] += one.weight / 2  # type: ignore[assignment]
                if at:
                    pair = one.tokens[decisions[at - 1]], one.tokens[index]
                    links[at - 1][pair] += one.weight / 2  # type: ignore[assignment]
    assert [dict(column) for column in flow.columns] == [
        pytest.approx(dict(column)) for column in columns
    ]
    assert [dict(link) for link in flow.links] == [pytest.approx(dict(link)) for link in links]
    assert [sum(column.values()) for column in flow.columns] == pytest.approx([1] * len(decisions))


def test_each_category_has_a_diagram_whose_bars_take_in_what_they_give_out() -> None:
    chosen = drawn()
    figure = sankey_figure(PLUS, chosen)
    assert groups_of(chosen) == ["tf", "histone"]
    assert len(figure.data) == 2
    titles = [note.text for note in figure.layout.annotations if note.text.startswith("<b>")]
    assert titles == ["<b>tf</b>  2 tasks", "<b>histone</b>  1 task"]
    assert figure.data[0].domain.y[0] > figure.data[1].domain.y[1]
    for panel in figure.data:
        got, given = Counter(), Counter()  # type: ignore[var-annotated]
        for source, target, value in zip(
            panel.link.source, panel.link.target, panel.link.value, strict=True
        ):
            given[source] += value
            got[target] += value
        inner = set(got) & set(given)
        assert {bar: got[bar] for bar in inner} == pytest.approx(
            {bar: given[bar] for bar in inner}, abs=1e-4
        )
        assert len(inner) > 20


def test_the_bars_of_a_column_leave_room_for_their_labels() -> None:
    chosen = drawn(each=20)
    figure = sankey_figure(PLUS, chosen)
    flows = [flow_of(chosen, group, shown_decisions(PLUS, chosen)) for group in groups_of(chosen)]
    room = figure.layout.height - 4
    for panel, flow in zip(figure.data, flows, strict=True):
        height = (panel.domain.y[1] - panel.domain.y[0]) * room
        scale = height - GAP * (max(map(len, flow.columns)) - 1)
        heights = [
            scale * column[token]
            for column in flow.columns
            for token in sorted(column, key=lambda token: (token < 0, token))
        ]
        columns: dict[float, list[tuple[float, float]]] = {}
        for x, y, size in zip(panel.node.x, panel.node.y, heights, strict=True):
            columns.setdefault(x, []).append((y * height, size))
        assert len(columns) == len(flow.columns)
        for bars in columns.values():
            assert bars[0][0] - bars[0][1] / 2 > -1e-6
            assert bars[-1][0] + bars[-1][1] / 2 < height + 1e-6
            for (above, first), (below, second) in pairwise(bars):
                assert below - above >= GAP + (first + second) / 2 - 1e-6


def test_what_does_not_apply_is_pale_and_without_a_label() -> None:
    tokens = {
        blocks: next(
            tokens
            for seed in range(200)
            if (tokens := PLUS.sample(np.random.default_rng(seed)).tokens)[1] == blocks
        )
        for blocks in (0, 1)
    }
    chosen = [Chosen("tf", str(blocks), those, 1.0) for blocks, those in tokens.items()]
    figure = sankey_figure(PLUS, chosen)
    (panel,) = figure.data
    pale = [at for at, colour in enumerate(panel.node.color) if colour == ABSENT]
    assert pale
    assert all(panel.node.label[at] == "" for at in pale)
    assert all(panel.node.customdata[at].endswith("does not apply, 50%") for at in pale)
    caption = sankey_caption(figure, PLUS, chosen, "All.")
    assert "pooling 2, kernel 3, dilation 3, pooling 3, kernel 4, dilation 4." in caption
    assert "Pale bars" in caption
    names = {note.text for note in figure.layout.annotations}
    assert "kernel 2" in names
    assert "kernel 3" not in names


def test_skip_connections_are_counted_and_not_drawn() -> None:
    space = named_space("amber-12")
    rng = np.random.default_rng(0)
    chosen = [Chosen("tf", "Reb1", space.sample(rng).tokens, 1.0)]
    figure = sankey_figure(space, chosen)
    assert len(set(figure.data[0].node.x)) == 12
    caption = sankey_caption(figure, space, chosen, "")
    assert "The 66 decisions about skip connections" in caption
    assert "since none of these has it" not in caption


def test_one_decision_makes_no_diagram() -> None:
    assert sankey_figure(PLUS, []) is None


def test_the_best_of_each_task_are_those_that_ended_the_earliest_of_equal_ones() -> None:
    rows = [
        evaluated("a", (0, 0), 0.9),
        evaluated("a", (1, 0), None),
        evaluated("a", (2, 0), 0.95),
        evaluated("a", (3, 0), 0.9),
        evaluated("b", (0, 1), 0.1),
        Evaluated("b", (1, 1), "stopped", {"validation_auroc": 0.99}, {}),
        Evaluated("b", (), "done", {"validation_auroc": 0.99}, {}),
    ]
    found = best_evaluated(rows, {"a": "tf"}, "validation_auroc", 2)
    assert [(one.group, one.task, one.tokens, one.weight) for one in found] == [
        ("tf", "a", (2, 0), 0.5),
        ("tf", "a", (0, 0), 0.5),
        ("other", "b", (0, 1), 1.0),
    ]


def test_shares_are_among_the_architectures_to_which_a_decision_applies() -> None:
    index = next(at for at, d in enumerate(PLUS.decisions) if d.name == "kernel 2")
    rng = np.random.default_rng(1)
    steps = [[evaluated("a", PLUS.sample(rng).tokens) for _ in range(5)] for _ in range(130)]
    deep = [PLUS.sample(rng).tokens for _ in range(60)]
    steps[0] = [evaluated("a", tokens) for tokens in deep if tokens[1] == 0]  # one block: none
    figure = selection_figure(PLUS, steps, {})
    (cells,) = figure.data
    assert len(cells.x) == MOST_COLUMNS
    rows = [words.split(": ") for words in figure.layout.yaxis.ticktext]
    places = [at for at, (name, _) in enumerate(rows) if name == "kernel 2"]
    assert [rows[at][1] for at in places] == ["8", "15", "20"]
    last = [one.tokens[index] for step in steps[-2:] for one in step if one.tokens[index] >= 0]
    for token, at in enumerate(places):
        assert cells.z[at][-1] == pytest.approx(last.count(token) / len(last), abs=6e-4)
    figure = selection_figure(PLUS, steps[:1], {})
    assert [figure.data[0].z[at][0] for at in places] == [None] * 3
    assert selection_figure(PLUS, [[]], {}) is None


def learnt(space: object = TINY_SPACE) -> Learnt:
    """Give a policy that reads three tasks, as different as random weights make it."""
    policy = Policy(space, seed=4, descriptor_count=2)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(3.0)
    policy.requires_grad_(False)
    vectors = {task: torch.full((4,), 4.0 * at - 4) for at, task in enumerate(GROUPS)}
    return Learnt(policy, vectors, GROUPS)


def test_the_probabilities_are_the_policys_mean_over_the_tasks_of_a_category() -> None:
    known = learnt()
    found = probabilities(known)
    assert list(found) == ["tf", "histone"]
    for group, tasks in known.members.items():
        exact = [np.zeros(6), np.zeros(2)]
        for task in tasks:
            ((tokens, logs),) = beam(known.policy, known.vectors[task][None], 12)
            for row, log in zip(tokens.tolist(), logs.tolist(), strict=True):
                for decision, token in enumerate(row):
                    exact[decision][token] += np.exp(log) / len(tasks)
        for decision in (0, 1):
            assert found[group][decision] == pytest.approx(exact[decision], abs=0.05)
    # Else any average would have passed.
    assert np.abs(found["tf"][0] - found["histone"][0]).max() > 0.15
    figure = selection_figure(TINY_SPACE, (), found)
    assert list(figure.data[0].x) == ["tf", "histone"]
    assert figure.data[0].z[7][1] == pytest.approx(found["histone"][1][1], abs=6e-4)


def test_a_task_is_drawn_by_its_most_probable_architectures() -> None:
    known = learnt()
    own = [one for one in proposed(known, 3) if one.task == "Tbf1"]
    ((tokens, logs),) = beam(known.policy, known.vectors["Tbf1"][None], 12)
    assert [one.tokens for one in own] == [tuple(row) for row in tokens[:3].tolist()]
    weights = np.exp(logs[:3].numpy())
    assert [one.weight for one in own] == pytest.approx(weights / weights.sum())
    assert {one.group for one in own} == {"tf"}


def test_shared_embeddings_are_drawn_once() -> None:
    points = embedded(learnt(PLUS).policy)
    groups = Counter(one.group for one in points)
    assert (groups["kernel"], groups["dilation"], groups["window"]) == (3, 2, 3)
    figure = embedding_figure(PLUS, points)
    assert sum(len(trace.x) for trace in figure.data) == len(points)
    looks = {(trace.marker.color, trace.marker.symbol) for trace in figure.data}
    assert len(looks) == len(groups)
    kernel = next(trace for trace in figure.data if trace.name == "kernel")
    assert list(kernel.customdata) == ["kernel 8", "kernel 15", "kernel 20"]
    assert embedding_figure(PLUS, points[:2]) is None


def test_labels_that_would_cover_each_other_are_left_out() -> None:
    rng = np.random.default_rng(0)
    crowd = np.vstack([rng.normal(0, 0.001, (30, 2)), [[5, 5], [-5, -5], [5, -5]]])
    sides = _label_sides(crowd, ["a long label"] * 33)
    assert all(sides[30:])
    assert sum(side is not None for side in sides[:30]) <= 4
