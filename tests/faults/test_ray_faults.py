"""Ray: the contract on two nodes, one of them killed; a cluster of its own that leaves no trace."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_contract import CHECKS, REQUESTS, TASKS
from tiny_children import request

from ambient.errors import RunError
from ambient.evaluate import Evaluation, InlineEngine, Remembering, Store

pytest.importorskip("ray", reason="Ray is not installed (pip install 'ambient-nas[ray]')")

from ambient.evaluate.ray_engine import RayEngine

# Ray's own code opens files and sockets that it leaves to the end of the process, and uses what will go.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

IMPORTS = os.pathsep.join(path for path in sys.path if path)  # what this process imports from


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes of one CPU each on this machine."""
    monkeypatch.setenv("PYTHONPATH", IMPORTS)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_health_check_failure_threshold", "2")
    monkeypatch.setenv("RAY_health_check_period_ms", "500")
    from ray.cluster_utils import Cluster

    store = {"object_store_memory": 100 << 20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **store})
    made.add_node(num_cpus=1, object_store_memory=100 << 20)
    yield made
    made.shutdown()


def test_it_keeps_the_contract_on_two_nodes_and_loses_nothing_when_one_is_killed(
    cluster: Any, tmp_path: Path
) -> None:
    recorded: list[Evaluation] = list(InlineEngine(TASKS).run(REQUESTS))
    asked = [request(seed) for seed in range(12)]
    node = next(one for one in cluster.list_all_nodes() if not one.head)
    with (
        RayEngine(TASKS, address=cluster.address) as engine,
        Store(tmp_path / "store.sqlite") as store,
    ):
        assert engine.capacity == 2
        for check in CHECKS:
            check(engine, recorded)
        results = Remembering(engine, store).run(asked)
        answers = [next(results)]
        cluster.remove_node(node, allow_graceful=False)
        answers += results
        assert sorted(answer.seed for answer in answers) == list(range(12))
        assert all(answer.is_done and answer.host for answer in answers)
        assert len(store) == 12
    plain = {a.seed: a.metrics for a in InlineEngine(TASKS).run(asked)}
    assert {answer.seed: answer.metrics for answer in answers} == plain


SCRIPT = """
import signal, sys
from engine_contract import TASKS
from tiny_children import break_as_told, request
from ambient.evaluate.choose import EngineChoice, open_engine
assert "ray" not in sys.modules
handlers = [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)]
with open_engine(EngineChoice("ray", workers=2), TASKS, train=break_as_told) as engine:
    asked = [request(seed) for seed in (100, 101, 103, 1)]
    for answer in sorted(engine.run(asked), key=lambda answer: answer.seed):
        print(answer.seed, answer.state, answer.reason.split(":")[0], bool(answer.details))
assert handlers == [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)]
"""


def test_a_cluster_of_its_own_outlives_broken_children_and_leaves_no_trace(tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "t"
    home.mkdir()
    temporary.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        timeout=120,
        env={**kept, "PYTHONPATH": IMPORTS, "HOME": str(home), "MARK": str(tmp_path)},
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "1 done  False",
        "100 failed ValueError True",
        "101 failed MemoryError True",
        "103 failed WorkerLost False",
    ]
    assert list(home.iterdir()) == []
    assert processes_with(f"MARK={tmp_path}") == []


def processes_with(setting: str) -> list[str]:
    """Name the processes that have an environment variable of that value."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if setting.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "comm").read_text().strip())
        except OSError:
            continue  # it is another user's, or it has just ended
    return found


def test_a_cluster_that_is_not_there_is_named() -> None:
    with pytest.raises(RunError, match=r"no cluster answers at '127.0.0.1:1'"):
        RayEngine(TASKS, address="127.0.0.1:1")
    with pytest.raises(RunError, match="found the device 'tpu', needed cpu or cuda"):
        RayEngine(TASKS, device="tpu")
