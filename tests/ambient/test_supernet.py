"""The supernet and its engine: weights are shared, children are exact, nothing of it is remembered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skip_spaces import many_labels, small_space
from tiny_children import TINY, tiny_task
from torch import Tensor, nn

from ambient.child.batches import one_hot
from ambient.child.layout import forward
from ambient.child.supernet import Supernet, calibrate
from ambient.child.wiring import Wired
from ambient.errors import RunError, SpaceError
from ambient.evaluate import Remembering, Request, Store
from ambient.evaluate.supernet import SupernetEngine
from ambient.space import Architecture, SearchSpace, named_space, sample_with_skips

torch.set_num_threads(1)
SPACE, WINDOW = small_space(), 40
FIDELITY = replace(TINY, precision="float32")
TASK = many_labels()


def dna(count: int, seed: int = 0) -> Tensor:
    codes = np.random.default_rng(seed).integers(0, 5, (count, WINDOW), dtype=np.uint8)
    return one_hot(torch.from_numpy(codes))


def drawn(count: int, seed: int = 0) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return [SPACE.sample(rng) for _ in range(count)]


def with_tokens(**chosen: int) -> Architecture:
    names = [decision.name.replace(" ", "_") for decision in SPACE.decisions]
    return SPACE.architecture([chosen.get(name, 0) for name in names])


def engine(task: Any = TASK, **changes: Any) -> SupernetEngine:
    return SupernetEngine(SPACE, task, FIDELITY, **{"judged_windows": 16, **changes})


def weights_of(supernet: nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in supernet.named_parameters()}


def test_the_same_operation_of_the_same_layer_is_the_same_tensor() -> None:
    supernet = Supernet(SPACE, WINDOW, 2)
    one, other = with_tokens(layer_1=1, layer_3=2), with_tokens(layer_1=1, layer_3=0)
    left, right = (supernet.child(each) for each in (one, other))
    # Stem, projection, layer 1 and layer 2 are alike; layer 3 is not; layer 4 is again.
    same = [a is b for a, b in zip(left.parameters(), right.parameters(), strict=True)]
    names = [name for name, _ in left.named_parameters()]
    apart = {name for name, is_same in zip(names, same, strict=True) if not is_same}
    assert apart == {
        "convolution_6.weight",
        "normalisation_6.weight",
        "normalisation_6.bias",
    }
    assert left.convolution_6.dilation != right.convolution_6.dilation


def test_a_skip_has_one_projection_whatever_else_skips() -> None:
    supernet = Supernet(SPACE, WINDOW, 2)
    names = [SPACE.decisions[index].name for index in SPACE.skips]
    alone, among = "layer 1 > layer 4", ["layer 1 > layer 4", "layer 2 > layer 4"]
    tokens = [0] * len(SPACE.decisions)
    projections = []
    for taken in ([alone], among, names):
        for index, name in zip(SPACE.skips, names, strict=True):
            tokens[index] = int(name in taken)
        child = supernet.child(SPACE.architecture(tokens))
        assert isinstance(child, Wired)
        last = [part for name, part in child.named_children() if name.startswith("merge")][-1]
        projections.append(last.projections[0].convolution.weight)
    assert projections[0] is projections[1] is projections[2]


def test_training_one_child_moves_what_another_shares_with_it_and_nothing_else() -> None:
    supernet = Supernet(SPACE, WINDOW, 3)
    one = with_tokens(layer_1=1, layer_2=4, layer_3=2, layer_4=0)
    before = weights_of(supernet)
    optimiser = torch.optim.Adam(supernet.parameters(), lr=0.01)
    supernet(dna(8), one).square().sum().backward()
    optimiser.step()
    path = {id(weight) for weight in supernet.child(one).parameters()}
    moved = {
        name
        for name, weight in supernet.named_parameters()
        if not torch.equal(weight, before[name])
    }
    on_path = {name for name, weight in supernet.named_parameters() if id(weight) in path}
    assert moved == on_path
    other = supernet.child(with_tokens(layer_1=1, layer_2=0, layer_3=0))
    shared = [weight for weight in other.parameters() if id(weight) in path]
    assert 0 < len(shared) < len(list(other.parameters()))


@pytest.mark.parametrize("name", ["small", "amber-12"])
def test_a_child_in_the_supernet_equals_the_stand_alone_one_with_its_weights(name: str) -> None:
    space = SPACE if name == "small" else named_space(name)
    supernet, rng = Supernet(space, WINDOW, 2, seed=3), np.random.default_rng(1)
    count = 8 if name == "small" else 2
    for architecture in [
        *(space.sample(rng) for _ in range(count)),
        sample_with_skips(space, 0, rng),
        sample_with_skips(space, len(space.skips), rng),
    ]:
        alone = architecture.build(WINDOW, 2).train()
        alone.load_state_dict(supernet.child(architecture).state_dict())
        x = dna(6)
        expected = alone(x)
        assert torch.equal(supernet(x, architecture), expected)
        torch.testing.assert_close(
            forward(supernet.child(architecture), x), expected, atol=1e-4, rtol=1e-4
        )
        extracted = supernet.extract(architecture).train()
        assert torch.equal(extracted(x), expected)
        assert type(extracted) is type(alone)


def test_what_is_extracted_is_a_copy() -> None:
    supernet, (one,) = Supernet(SPACE, WINDOW, 2), drawn(1)
    before = weights_of(supernet)
    with torch.no_grad():
        for weight in supernet.extract(one).parameters():
            weight.add_(1)
    assert all(torch.equal(before[name], weight) for name, weight in supernet.named_parameters())


def test_calibrated_it_gives_in_evaluation_what_the_supernet_gives_for_such_windows() -> None:
    supernet, (one,) = Supernet(SPACE, WINDOW, 2), drawn(1, seed=4)
    x = dna(400)
    alone = calibrate(supernet.extract(one), [x])
    assert not alone.training
    # The running variance is unbiased and that of a batch is not: 1 in 400 windows x 10 positions.
    torch.testing.assert_close(alone(x), supernet(x, one), atol=0.01, rtol=0.01)
    halves = calibrate(supernet.extract(one), [x[:200], x[200:]])
    torch.testing.assert_close(halves(x), alone(x), atol=0.05, rtol=0.05)
    assert {part.momentum for part in alone.modules() if isinstance(part, nn.BatchNorm1d)} == {0.1}


def test_memory_grows_with_the_operations_and_not_with_the_architectures() -> None:
    def count(space: SearchSpace, architectures: int = 0) -> int:
        supernet, rng = Supernet(space, WINDOW, 2), np.random.default_rng(0)
        for _ in range(architectures):
            supernet(dna(2), space.sample(rng))
        return sum(weight.numel() for weight in supernet.parameters())

    least, more, most = (small_space(kernels=kernels) for kernels in ((3,), (3, 5), (3, 5, 7)))
    assert count(least) == count(least, architectures=40)
    # A kernel more: its filters and its normalisation in two layers of 4 and two of 8 channels.
    convolution = 2 * (4 * 4 + 8 * 8)
    assert count(more) - count(least) == 5 * convolution + 2 * 2 * (4 + 8)
    assert count(most) - count(more) == 7 * convolution + 2 * 2 * (4 + 8)
    assert most.size > 5 * least.size


def test_the_initial_weights_follow_the_seed_and_leave_torchs_generator_alone() -> None:
    state = torch.get_rng_state()
    first, second, third = (weights_of(Supernet(SPACE, WINDOW, 2, seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], third[name]) for name in first)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ambient-10", "found 4 channels|found 16 channels"),
        ("ambient-plus", "one that sets a window where a layer or a skip was needed"),
    ],
)
def test_a_space_that_cannot_share_weights_is_refused(name: str, said: str) -> None:
    with pytest.raises(SpaceError, match=said):
        Supernet(named_space(name), 200, 1)


def test_an_architecture_of_another_space_is_refused() -> None:
    supernet = Supernet(SPACE, WINDOW, 1)
    other = small_space(kernels=(3, 9)).architecture([1] + [0] * 9)
    with pytest.raises(SpaceError, match="does not offer there"):
        supernet.child(other)


def test_dropout_is_off_in_judging_and_normalisation_goes_by_the_batch() -> None:
    network = SPACE.to_dict()["network"]
    network.append({"operation": "dropout", "rate": 0.5})
    supernet, x = Supernet(small_space(network=network), WINDOW, 2), dna(8)
    (one,) = (small_space(network=network).architecture([0] * 10),)
    supernet.judging()
    assert torch.equal(supernet(x, one), supernet(x, one))
    running = [name for name, value in supernet.named_buffers() if "mean" in name and value.any()]
    assert not running
    assert not torch.equal(supernet(x[:4], one), supernet(x, one)[:4])
    supernet.judging(False)
    assert not torch.equal(supernet(x, one), supernet(x, one))


def test_training_steps_lower_the_loss_and_follow_the_seed() -> None:
    losses = []
    for seed in (0, 0, 1):
        one = engine(seed=seed, learning_rate=0.01)
        losses.append([one.train(drawn(20, number)) for number in range(4)])
    assert losses[0] == losses[1] != losses[2]
    assert losses[0][-1] < losses[0][0]


def test_the_stem_starts_from_the_words_that_are_enriched_among_training_windows() -> None:
    task = tiny_task("many", windows=400)  # positives hold ATGCAA
    stems = []
    for share in (0.0, 0.75):
        fidelity = replace(FIDELITY, seeded_filters=share)
        one = SupernetEngine(SPACE, task, fidelity)
        weight = next(one.supernet.parameters())
        assert weight.shape == (6, 4, 5)
        stems.append(weight.detach().argmax(1))
    words = {tuple(word.tolist()) for word in stems[1]}
    assert words & {(0, 3, 2, 1, 0), (3, 2, 1, 0, 0)}
    assert not torch.equal(stems[0], stems[1])


def test_a_pass_sees_each_training_window_once() -> None:
    one = engine()
    assert one.steps_per_pass == 48 // 8
    seen = []
    for _ in range(2 * one.steps_per_pass):
        seen.append(one._minibatch())
        one.steps += 1
    for part in (seen[:6], seen[6:]):
        assert sorted(np.concatenate(part)) == list(TASK.subset("train"))
    assert not np.array_equal(seen[0], seen[6])


def requests(architectures: list[Architecture]) -> list[Request]:
    return [Request(TASK.name, one, 0, FIDELITY) for one in architectures]


def test_what_is_submitted_together_is_judged_on_the_same_windows_whatever_the_order() -> None:
    asked = requests(drawn(5))
    one, other = engine(), engine()
    forwards = {r.architecture.key: r.metrics for r in one.run(asked)}
    assert {r.architecture.key: r.metrics for r in other.run(asked[::-1])} == forwards
    again = {r.architecture.key: r.metrics for r in one.run(asked)}
    assert again != forwards  # other validation windows


@pytest.mark.parametrize("task", [TASK, tiny_task("many")])
def test_it_judges_by_validation_windows_of_one_label_or_many(task: Any) -> None:
    is_test = task.split[:, None] == 2
    spoilt = replace(
        task,
        codes=np.where(is_test, 0, task.codes).astype(np.uint8),
        labels=np.where(is_test, 1 - task.labels, task.labels),
    )
    results = []
    for data in (task, spoilt):
        one = engine(data)
        one.train(drawn(6))
        results.append([r.metrics for r in one.run(requests(drawn(3)))])
    assert results[0] == results[1]
    for metrics in results[0]:
        assert set(metrics) == {"validation_auroc", "validation_minus_loss"}
        assert 0 <= metrics["validation_auroc"] <= 1
        assert metrics["validation_minus_loss"] < 0


def test_all_validation_windows_have_their_say_when_it_is_asked_for() -> None:
    one, architectures = engine(judged_windows=8), drawn(3)
    rows = TASK.subset("validation")
    assert len(rows) == 24
    expected = []
    for said in one.judge_all(architectures):
        assert 0 <= said["validation_auroc"] <= 1
        expected.append(said)
    assert one.judge_all(architectures) == expected
    changed = replace(TASK, labels=TASK.labels.copy())
    changed.labels[rows[0]] = 1 - changed.labels[rows[0]]
    assert engine(changed, judged_windows=8).judge_all(architectures) != expected


def test_a_store_never_gets_what_shared_weights_say(tmp_path: Path) -> None:
    one = engine()
    with (
        Store(tmp_path / "store.sqlite") as store,
        pytest.raises(RunError, match="train architectures by another"),
    ):
        list(Remembering(one, store).run(requests(drawn(1))))
    (found,) = engine().run(requests(drawn(1)))
    assert found.key != found.request.key(TASK.hash)
    assert found.details == {"shared_weights": True}


def test_it_goes_on_from_its_state_as_if_nothing_had_happened() -> None:
    whole, begun, resumed = engine(), engine(), engine(seed=0)
    for each in (whole, begun):
        each.train(drawn(7))
        list(each.run(requests(drawn(2))))
    resumed.load_state_dict(begun.state_dict())
    results = []
    for each in (whole, resumed):
        loss = each.train(drawn(5, seed=9))
        results.append((loss, [r.metrics for r in each.run(requests(drawn(3)))]))
    assert results[0] == results[1]
    for name, weight in whole.supernet.state_dict().items():
        assert torch.equal(weight, resumed.supernet.state_dict()[name]), name


def test_a_step_whose_loss_is_not_finite_changes_nothing_and_is_counted() -> None:
    one = engine()
    with torch.no_grad():
        next(one.supernet.parameters()).fill_(torch.nan)
    before = weights_of(one.supernet)
    assert one.train(drawn(2)) is None
    assert (one.steps, one.skipped) == (2, 2)
    after = weights_of(one.supernet)
    assert all(torch.equal(before[n].nan_to_num(), after[n].nan_to_num()) for n in before)
    (found,) = one.run(requests(drawn(1)))
    assert found.state == "failed"


def test_a_label_that_is_not_known_has_no_say() -> None:
    hidden = replace(TASK, labels=TASK.labels.copy())
    hidden.labels[::3, 1] = np.nan
    one = engine(hidden)
    assert one.train(drawn(4)) is not None
    assert one.skipped == 0
    assert all(r.state == "done" for r in one.run(requests(drawn(2))))


def test_what_cannot_be_judged_is_refused_at_once() -> None:
    lone = replace(TASK, labels=np.ones_like(TASK.labels))
    with pytest.raises(RunError, match="no label with positives and negatives among 48 training"):
        engine(lone)
    blind = replace(TASK, labels=np.where(TASK.split[:, None] == 1, 0, TASK.labels))
    with pytest.raises(RunError, match="among 24 validation"):
        engine(blind)
    with pytest.raises(RunError, match="weights are shared on 'many' alone"):
        engine().submit([replace(requests(drawn(1))[0], task="other")])
