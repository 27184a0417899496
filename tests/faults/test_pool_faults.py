"""The pool among killed workers, killed parents, interrupts and scripts without a guard."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_children import FOLDER, break_as_told, request, tiny_task

from ambient.errors import RunError
from ambient.evaluate import PoolEngine

IMPORTS = os.pathsep.join(path for path in sys.path if path)  # what this process imports from
TASKS = {"tiny": tiny_task()}

SCRIPT = """
import signal, sys, tempfile
from tiny_children import request, tell_and_wait, tiny_task
from ambient.evaluate import PoolEngine
if __name__ == "__main__":
    # What a shell starts in the background ignores interrupts, and so does what that starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with PoolEngine({"tiny": tiny_task()}, 1, tell_and_wait) as pool:
            print(pool._folder, flush=True)
            list(pool.run([request(seed) for seed in range(2)]))
    except KeyboardInterrupt:
        sys.exit(130)
"""


def test_killed_workers_are_replaced_and_a_request_is_tried_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with PoolEngine(TASKS, 1, break_as_told, host="here") as pool:
        # Seed 104 kills its worker the first time, seed 103 each time.
        answers = list(pool.run([request(seed) for seed in (1, 104, 2)]))
        assert (tmp_path / "killed-once").exists()
        assert [(answer.seed, answer.state) for answer in answers] == [
            (1, "done"),
            (2, "done"),
            (104, "done"),  # memory may have been short, so that it is tried when nothing else runs
        ]
        (worker,) = pool._workers
        worker.process.kill()
        worker.process.join()
        other, lost = pool.run([request(103), request(3)])
        assert worker not in pool._workers
    assert other.is_done
    assert lost.request == request(103)
    assert lost.state == "failed"
    assert "WorkerLost: the worker process was ended by SIGKILL" in lost.reason
    assert "2 times" in lost.reason
    assert (lost.device, lost.host) == ("cpu", "here")


def test_a_child_short_of_memory_is_tried_again_when_nothing_else_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with PoolEngine(TASKS, 2, break_as_told) as pool:
        answers = list(pool.run([request(seed) for seed in (109, 101, *range(6))]))
    assert {answer.seed for answer in answers[-2:]} == {101, 109}
    state = {answer.seed: (answer.state, answer.reason) for answer in answers}
    assert state[109] == ("done", "")
    assert state[101] == ("failed", "MemoryError: no room")


def test_a_worker_that_hangs_is_ended_and_the_others_go_on() -> None:
    with PoolEngine(TASKS, 2, break_as_told, child_minutes=0.05) as pool:
        answers = {a.seed: a for a in pool.run([request(seed) for seed in (106, 1, 2, 3)])}
        assert all(answers[seed].is_done for seed in (1, 2, 3))
        assert all(worker.job is None for worker in pool._workers)
    assert answers[106].state == "failed"
    assert "ended since this child took more than 0.05 minutes, 2 times" in answers[106].reason


def test_a_worker_that_writes_garbage_is_replaced() -> None:
    with PoolEngine(TASKS, 2, break_as_told) as pool:
        answers = {a.seed: a for a in pool.run([request(seed) for seed in (107, 108, 1)])}
    assert answers[1].is_done
    for seed in (107, 108):
        assert answers[seed].reason == (
            "WorkerLost: the worker process sent what is no result, 2 times"
        )


def test_a_full_temporary_folder_is_named_and_nothing_was_taken() -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with PoolEngine(TASKS, 1, break_as_told) as pool:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            with pytest.raises(RunError, match=r"'tiny' could not be written.*set TMPDIR"):
                pool.submit([request(1)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert list(pool._folder.iterdir()) == []
        assert list(pool.results()) == []
        assert [answer.is_done for answer in pool.run([request(1)])] == [True]


class Running:
    """A script with a pool of one worker that never finishes."""

    def __init__(self, folder: Path) -> None:
        os.mkfifo(folder / "pids")
        self.process = subprocess.Popen(
            [sys.executable, str(write_script(folder, SCRIPT))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": IMPORTS, FOLDER: str(folder)},
        )
        assert self.process.stdout is not None
        self.tasks = Path(self.process.stdout.readline().strip())
        worker = int((folder / "pids").read_text())
        # The number of a dead process may be given away again; this descriptor stays the worker's.
        self.worker = os.pidfd_open(worker)

    def worker_ends(self) -> bool:
        """Whether the worker ends within 30 seconds."""
        poll = select.poll()
        poll.register(self.worker, select.POLLIN)
        ended = bool(poll.poll(30_000))
        os.close(self.worker)
        return ended


def write_script(folder: Path, text: str) -> Path:
    path = folder / "script.py"
    path.write_text(text)
    return path


needs_pidfd = pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="this system cannot watch processes of others"
)


@needs_pidfd
def test_the_worker_and_its_folder_go_when_the_parent_is_killed(tmp_path: Path) -> None:
    running = Running(tmp_path)
    assert any(running.tasks.iterdir())
    running.process.kill()
    assert running.worker_ends()
    running.process.communicate()
    assert not running.tasks.exists()


@needs_pidfd
def test_an_interrupt_of_the_group_ends_all_in_order(tmp_path: Path) -> None:
    running = Running(tmp_path)
    os.killpg(running.process.pid, signal.SIGINT)
    _, errors = running.process.communicate(timeout=30)
    assert running.process.returncode == 130
    assert running.worker_ends()
    assert not running.tasks.exists()
    assert errors == ""


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    text = SCRIPT.replace('if __name__ == "__main__":', "if True:").replace(
        "tell_and_wait", "pretend"
    )
    done = subprocess.run(
        [sys.executable, str(write_script(tmp_path, text))],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": IMPORTS},
        check=False,
    )
    assert done.returncode == 1
    assert (
        "RunError: pool: a worker process ended with exit code 1 before it was ready" in done.stderr
    )
    assert "__main__" in done.stderr
