"""What a run records while it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from wandb_files import read_artifacts, read_config, read_history, read_media

from ambient.errors import RunError
from ambient.track import NoTracker, WandbTracker, flatten, is_logged_in, open_tracker


@pytest.fixture(autouse=True)
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be a user who is not logged in, with an empty home."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("WANDB_API_KEY", "NETRC", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Make the folder of a run."""
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def test_an_offline_run_and_its_resumption_hold_what_was_logged(
    run: Path, stranger: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rewards = {"Reb1": [0.5, 0.75], "Tbf1": [0.9]}
    files = run / "controller"
    files.mkdir()
    (files / "card.json").write_text("{}")
    tracker = open_tracker("wandb", run, {"seed": 3})
    tracker.log(1, {"entropy": 12.5, "rewards": rewards, "reason": "text"})
    tracker.log(2, {"entropy": 11.25, "approx_kl": float("nan")})
    tracker.artifact(files, "yeast controller", "model")
    tracker.finish()
    identity = (run / "wandb_id").read_text()

    first = read_history(run)
    assert [row["step"] for row in first] == [1, 2]
    assert first[0]["entropy"] == 12.5
    assert first[0]["rewards/Reb1"] == 0.625
    assert first[0]["rewards/Tbf1"] == 0.9
    assert "reason" not in first[0]
    assert "approx_kl" not in first[1]

    assert read_config(run)["seed"] == 3
    assert read_artifacts(run) == {("model", "yeast-controller"): {"card.json": b"{}"}}

    resumed = open_tracker("wandb", run, {"seed": 3})
    resumed.log(3, {"entropy": 10.0})
    resumed.finish()
    assert (run / "wandb_id").read_text() == identity
    names = [path.name for path in run.glob("wandb/offline-run-*/*.wandb")]
    assert set(names) == {f"run-{identity.strip()}.wandb"}
    assert {"step": 3, "entropy": 10.0}.items() <= read_history(run)[-1].items()

    assert not list(stranger.iterdir())
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_tables_and_figures_take_no_step_of_their_own(run: Path) -> None:
    import plotly.graph_objects as go

    tracker = open_tracker("wandb", run, {})
    tracker.log(4, {"reward": 0.5})
    tracker.table("evaluations", ["task", "auroc"], iter([("Reb1", 0.5), ("Tbf1", None)]))
    tracker.figure("proposals", go.Figure(go.Bar(x=["tf"], y=[2])))
    tracker.log(5, {"reward": 0.75})
    tracker.finish()

    assert [(row["step"], row["reward"]) for row in read_history(run)] == [(4, 0.5), (5, 0.75)]
    table = read_media(run, "evaluations")
    assert table["columns"] == ["task", "auroc"]
    assert table["data"] == [["Reb1", 0.5], ["Tbf1", None]]
    drawn = read_media(run, "proposals")["data"]
    assert [(trace["type"], trace["x"]) for trace in drawn] == [("bar", ["tf"])]


def test_an_unreachable_server_leaves_an_offline_record(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    asked: list[str] = []

    class Opened:
        def finish(self) -> None:
            pass

    def refuse_online(mode: str, **options: Any) -> Opened:
        asked.append(mode)
        if mode == "online":
            raise wandb.errors.CommError("no route to host")
        return Opened()

    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    monkeypatch.setattr(wandb, "init", refuse_online)
    with pytest.warns(RuntimeWarning, match="no route to host"):
        open_tracker("wandb", run, {}).finish()
    assert asked == ["online", "offline"]


def test_a_key_in_the_environment_or_in_netrc_means_logged_in(
    stranger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_logged_in()
    (stranger / ".netrc").write_text("machine other.example\n login user\n password word\n")
    (stranger / ".netrc").chmod(0o600)
    assert not is_logged_in()
    (stranger / ".netrc").write_text("machine api.wandb.ai\n login user\n password word\n")
    assert is_logged_in()
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example:8080")
    assert not is_logged_in()
    monkeypatch.setenv("WANDB_API_KEY", "key")
    assert is_logged_in()


def test_nested_values_are_flattened_and_what_is_no_number_is_passed_over() -> None:
    values = {
        "a": 1,
        "b": {"c": 2.5, "d": {"e": [1.0, None, 3.0]}},
        "f": "text",
        "g": None,
        "h": [],
    }
    assert dict(flatten(values)) == {"a": 1.0, "b/c": 2.5, "b/d/e": 2.0}


def test_none_records_nothing_and_imports_no_wandb(run: Path) -> None:
    code = (
        "import sys; from ambient.track import open_tracker\n"
        f"tracker = open_tracker('none', {str(run)!r}, {{}})\n"
        "tracker.log(1, {'a': 1}); tracker.table('t', ['a'], [[1]]); tracker.figure('f', None)\n"
        "tracker.artifact('x', 'y', 'z'); tracker.finish()\n"
        "sys.exit('wandb' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert not list(run.iterdir())
    assert isinstance(open_tracker("none", run, {}), NoTracker)


def test_an_unknown_kind_and_a_broken_identity_are_refused(run: Path) -> None:
    with pytest.raises(RunError, match='found "tensorboard"'):
        open_tracker("tensorboard", run, {})  # type: ignore[arg-type]
    (run / "wandb_id").write_text("../../etc")
    with pytest.raises(RunError, match="wandb_id"):
        WandbTracker(run, {})
