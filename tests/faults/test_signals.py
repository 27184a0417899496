"""SIGINT and SIGTERM: an orderly end, the exit code that shells expect, and the command that goes on."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
from small_space import SPACE

from ambient.cli.main import main
from ambient.data.simulate import simulate_corpus
from ambient.evaluate.worker_process import without_interrupts
from ambient.search import read_journal

PROGRAM = Path(sys.executable).parent / "ambient"
CONFIG = """
fidelity: {like: search, name: tiny, windows_per_epoch: 64, epochs: 2}
controller: {tasks_per_step: 1, architectures_per_task: 2}
"""
# Says when a child begins to train: nothing else tells it from outside.
TELLING = """
import sys
import ambient.child.train as training
from ambient.cli.main import main
from ambient.evaluate.worker_process import WorkerProcess
def telling(begin):
    def tell(*arguments, **options):
        print("training", file=sys.stderr, flush=True)
        return begin(*arguments, **options)
    return tell
training.train_child = telling(training.train_child)
training.train_member = telling(training.train_member)
WorkerProcess.hand_over = telling(WorkerProcess.hand_over)
main()
"""
SLOW = """
import threading
import click
from ambient.cli import main as cli
@click.command()
def slow():
    try:
        print("working", flush=True)
        threading.Event().wait()
    finally:
        print("closing", flush=True)
        threading.Event().wait()
cli.Verbs.get_command = lambda *_: slow
cli.main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder, with a blank in its name, of a simulated corpus, a configuration and a space."""
    folder = tmp_path_factory.mktemp("signals") / "my data"
    folder.mkdir()
    simulate_corpus(folder / "corpus", tasks=3, genome_bp=60_000, seed=3)
    (folder / "tiny.yaml").write_text(CONFIG)
    (folder / "space.yaml").write_text(SPACE)
    return folder


def listen() -> None:
    """In the new process: a signal is heard even where these tests run behind a shell; a terminal is its own."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def start(*command: object, **streams: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        list(map(str, command)), text=True, start_new_session=True, preexec_fn=listen, **streams
    )


def read_until(stream: IO[str], text: str) -> None:
    read = ""
    while text not in read:
        line = stream.readline()
        assert line, f"it ended without {text!r}: {read}"
        read += line


class Terminal:
    """A program at a terminal of its own, where it shows its progress."""

    def __init__(self, *command: object) -> None:
        self.screen, other = os.openpty()
        self.process = start(*command, stdin=other, stdout=other, stderr=other)
        os.close(other)
        self.shown = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.screen)

    def read(self) -> bool:
        """Take what is new on the screen; False where the program has closed it."""
        try:
            new = os.read(self.screen, 65536)
        except OSError:  # the other end of a terminal is gone
            new = b""
        self.shown += new.decode(errors="replace")
        return bool(new)

    def wait_for(self, text: str) -> None:
        while text not in self.shown:
            assert self.read(), self.shown

    def end(self) -> int:
        """Read to the end; give the exit code."""
        while self.read():
            pass
        return self.process.wait()


def train(folder: Path, run: Path, engine: str) -> list[object]:
    """Give the arguments of a training that would take for ever."""
    options = ("--output", run, "--steps", "1000000", "--cache", folder / "cache")
    files = ("--config", folder / "tiny.yaml", "--space", folder / "space.yaml")
    return [
        "train",
        folder / "corpus" / "corpus.yaml",
        *options,
        *files,
        "--engine",
        engine,
        "--workers",
        "1",
    ]


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["ambient", *map(str, arguments)])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize(
    ("engine", "stop", "code"),
    [
        ("pool", lambda at: os.write(at.screen, b"\x03"), 130),  # Ctrl-C: the whole group hears it
        ("inline", lambda at: at.process.terminate(), 143),
    ],
)
def test_a_training_that_is_stopped_says_how_it_goes_on_and_does(
    folder: Path,
    engine: str,
    stop: Callable[[Terminal], object],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = folder / engine
    arguments = train(folder, run, engine)
    with Terminal(PROGRAM, *arguments) as terminal:
        terminal.wait_for("reward")  # of the first step, which is on the disk now
        if engine == "inline":
            assert call(monkeypatch, *arguments, "--resume") == 2
            assert f"process (number {terminal.process.pid}) at work" in capsys.readouterr().err
        started = time.monotonic()
        stop(terminal)
        assert terminal.end() == code
        assert time.monotonic() - started < 10
    assert "Traceback" not in terminal.shown
    name = signal.Signals(code - 128).name
    assert f"ambient: stopped by {name}" in terminal.shown
    (line,) = [line for line in terminal.shown.splitlines() if "go on with: " in line]
    again = shlex.split(line.partition("go on with: ")[2])
    assert again == ["ambient", *map(str, arguments), "--resume"]
    steps = len(read_journal(run / "journal.jsonl"))
    assert any(run.glob("checkpoints/step-*.json"))
    if engine == "inline":
        again[again.index("--steps") + 1] = str(steps + 1)
        assert call(monkeypatch, *again[1:]) == 0
        assert len(read_journal(run / "journal.jsonl")) == steps + 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_what_may_not_be_left_half_done(number: signal.Signals) -> None:
    heard: list[str] = []

    def hear(*_: object) -> None:
        heard.append("signal")

    before = signal.signal(number, hear)
    try:
        with without_interrupts():
            signal.raise_signal(number)
            heard.append("done")
        assert heard == ["done", "signal"]
        assert signal.getsignal(number) is hear
    finally:
        signal.signal(number, before)


def stopped_in_training(number: signal.Signals, *arguments: object) -> str:
    """Stop a verb in the middle of a child, and give what it said from there on."""
    command = (sys.executable, "-c", TELLING, *arguments)
    with start(*command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        read_until(process.stderr, "training\n")
        process.send_signal(number)
        said = process.stderr.read()
    assert process.returncode == 128 + number
    return said


@pytest.mark.faults
def test_an_evaluation_that_is_stopped_keeps_what_is_done_in_one_line(
    folder: Path, tmp_path: Path
) -> None:
    store = tmp_path / "rows.sqlite"
    corpus = folder / "corpus" / "corpus.yaml"
    options = ("--store", store, "--engine", "inline", "--fidelity", "full")
    said = stopped_in_training(signal.SIGINT, "evaluate", corpus, "random:1", *options)
    assert said.splitlines()[-1] == "ambient: stopped by SIGINT"
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["rows.sqlite"]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_fit_that_is_stopped_leaves_nothing(folder: Path, tmp_path: Path, workers: int) -> None:
    from ambient.space import open_space
    from ambient.zero_shot import draw_random

    corpus = folder / "corpus" / "corpus.yaml"
    architecture = tmp_path / "architecture.json"
    architecture.write_text(draw_random(open_space("ambient-10"), 1, 0)[0].to_json())
    tasks = sorted(path.stem.split(".")[0] for path in (folder / "corpus" / "peaks").iterdir())
    options = ("--task", tasks[0], "--architecture", architecture, "--output", tmp_path / "model")
    options = (*options, "--workers", workers)
    said = stopped_in_training(signal.SIGTERM, "fit", corpus, *options)
    assert said.replace("training\n", "") == "ambient: stopped by SIGTERM\n"
    assert [path.name for path in tmp_path.iterdir()] == ["architecture.json"]


@pytest.mark.faults
def test_a_proposal_that_is_being_fitted_and_is_stopped_leaves_nothing(
    folder: Path, tmp_path: Path
) -> None:
    from small_run import train_small

    train_small(tmp_path / "run", 1)
    peaks = sorted((folder / "corpus" / "peaks").iterdir())[0]
    options = ("--genome", folder / "corpus" / "genome.fa", "--category", "tf", "--window", "60")
    said = stopped_in_training(
        signal.SIGINT,
        *("propose", peaks, "--controller", tmp_path / "run", "--fit"),
        *(*options, "--output", tmp_path / "model"),
    )
    assert said.replace("training\n", "") == "ambient: stopped by SIGINT\n"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_later_signal_ends_the_process_at_once(second: signal.Signals) -> None:
    later = SLOW.replace("cli.main()", "cli.SAME_WISH = 0\ncli.main()")
    command = (sys.executable, "-c", later, "slow")
    with start(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "closing\n"
        process.send_signal(second)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == -second
    assert errors == ""


def test_a_signal_that_is_sent_twice_ends_the_process_once() -> None:
    """As `timeout` does: to the process, and then to its group."""
    twice = SLOW.replace("cli.main()", "cli.SAME_WISH = 1e9\ncli.main()")
    working, closing = "threading.Event().wait()", "sys.stdin.readline()"
    twice = closing.join(twice.rpartition(working)[::2]).replace(
        "import click", "import click, sys"
    )
    with start(
        *(sys.executable, "-c", twice, "slow"),
        **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "closing\n"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate("\n", timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert errors == "ambient: stopped by SIGTERM\n"


def test_a_signal_that_a_shell_ignores_for_what_runs_behind_stays_ignored() -> None:
    script = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + SLOW.replace(
        "threading.Event().wait()", "signal.raise_signal(signal.SIGINT)"
    )
    command = (sys.executable, "-c", script, "slow")
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "working\nclosing\n"), done.stderr


def test_what_the_system_refuses_is_said_in_one_sentence() -> None:
    script = (
        SLOW.partition("    try:")[0] + "    open('/dev/full', 'w', buffering=1).write('a\\n')\n"
    )
    script += SLOW[SLOW.index("cli.Verbs") :]
    done = subprocess.run(
        [sys.executable, "-c", script, "slow"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "ambient: No space left on device; correct that and try again\n"
