"""What a child costs, told from its request alone."""

from __future__ import annotations

from dataclasses import replace

from tiny_children import request, tiny_task

from ambient.evaluate.estimate import estimate_memory_bytes, estimate_seconds


def test_a_child_of_more_windows_epochs_or_members_takes_longer_and_a_larger_batch_more_memory() -> (
    None
):
    task, one = tiny_task(), request()
    for name in ("windows_per_epoch", "epochs", "members"):
        more = request(**{name: 2 * getattr(one.fidelity, name)})
        assert estimate_seconds(more, task) > 1.5 * estimate_seconds(one, task)
    assert estimate_memory_bytes(request(batch_size=1024), task) > 2 * estimate_memory_bytes(
        one, task
    )


def test_the_architectures_own_window_counts() -> None:
    task, one = tiny_task(), request()
    wide = replace(one, architecture=replace(one.architecture, window_bp=600))
    assert estimate_memory_bytes(wide, task) > 2 * estimate_memory_bytes(one, task)
