"""Which job goes next, and onto which device."""

from __future__ import annotations

import pytest
import torch
from tiny_children import break_as_told, request, tiny_task

from ambient.errors import RunError
from ambient.evaluate import PoolEngine
from ambient.evaluate.schedule import Device, Job, Schedule, find_devices


def job(seconds: float = 0, memory_bytes: int = 0) -> Job:
    return Job(request(), "hash", seconds, memory_bytes)


def anything(_: Job) -> bool:
    return True


def test_the_longest_of_a_submission_goes_first_and_earlier_submissions_before_later_ones() -> None:
    schedule = Schedule()
    short, long, later = job(1), job(5), job(9)
    schedule.add([short, long])
    schedule.add([later])
    assert [schedule.take(anything, []) for _ in range(4)] == [long, short, later, None]


def test_a_job_that_does_not_fit_is_passed_over_and_stays() -> None:
    schedule = Schedule()
    large, small = job(5, 100), job(1, 10)
    schedule.add([large, small])
    assert schedule.take(lambda one: one.memory_bytes < 50, []) is small
    assert schedule.take(lambda one: one.memory_bytes < 50, []) is None
    assert schedule.take(anything, []) is large


def test_a_lone_job_waits_for_all_others_and_keeps_others_waiting() -> None:
    schedule = Schedule()
    lone, first, second = job(9), job(1), job(2)
    lone.is_alone = True
    schedule.put_back(lone)
    schedule.add([first])
    assert schedule.take(anything, []) is first
    assert schedule.take(anything, [first]) is None
    assert schedule.take(anything, []) is lone
    schedule.add([second])
    assert schedule.take(anything, [lone]) is None
    assert schedule.take(anything, []) is second


def test_no_more_is_placed_on_a_device_than_it_holds() -> None:
    device = Device("made up", 4, memory_bytes=100)
    assert device.holds(60, [job(memory_bytes=40)])
    assert not device.holds(61, [job(memory_bytes=40)])
    assert device.holds(1000, [])  # the guess may be wrong, and alone it harms nobody
    assert Device("cpu", 4).holds(10**15, [job(memory_bytes=10**15)])


def test_workers_that_share_a_small_device_run_one_at_a_time() -> None:
    asked = [request(seed) for seed in range(6)]
    with PoolEngine({"tiny": tiny_task()}, 2, break_as_told, device_bytes=1) as pool:
        assert sorted(answer.seed for answer in pool.run(asked)) == list(range(6))
        assert len(pool._workers) == 1  # a second one never had room


def test_workers_are_shared_out_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    devices = find_devices("cuda", 5, memory_bytes=10)
    assert [(one.name, one.slots) for one in devices] == [("cuda:0", 3), ("cuda:1", 2)]
    assert [one.name for one in find_devices("cuda", 1, memory_bytes=10)] == ["cuda:0"]
    assert [one.name for one in find_devices("cuda:1", 3, memory_bytes=10)] == ["cuda:1"]
    assert find_devices("cpu", 3) == [Device("cpu", 3)]


def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(RunError, match=r"'cuda:7', there are cuda:0 here"):
        find_devices("cuda:7", 1)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(RunError, match=r"'cuda', there are no GPUs here.*train on cpu"):
        find_devices("cuda", 1)
