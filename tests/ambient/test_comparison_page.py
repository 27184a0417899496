"""The figures and the page of a comparison."""

from __future__ import annotations

from pathlib import Path

from made_up_searches import make_search, propose, remember

from ambient.report.comparison import compare_runs
from ambient.report.comparison_figures import comparison_figures, styles_of
from ambient.report.comparison_page import write_comparison


def test_figures_hold_every_axis_and_show_one(tmp_path: Path) -> None:
    for seed in range(3):
        make_search(tmp_path / f"random-{seed}", [0.5, 0.6 + seed / 100], seed=seed)
    for seed in range(2):
        make_search(tmp_path / f"evolution-{seed}", [0.5, 0.9], "evolution", seed=seed)
    runs = sorted(tmp_path.iterdir())
    store = remember(tmp_path / "store.sqlite", 11, {0: (0.7, 0.7)})
    compared = compare_runs(runs, propose(tmp_path / "p.json", 11, "one"), [store])
    figures = comparison_figures(compared.tasks[0], styles_of(compared))
    assert list(figures) == ["validation", "test", "mean_reward"]
    traces = figures["validation"].data
    axes = {"evaluations", "wall_hours", "cpu_hours", "energy_kwh"}
    assert {trace.meta[0] for trace in traces} == axes
    assert all(trace.visible == (trace.meta[0] == "evaluations") for trace in traces)
    shown = [trace for trace in traces if trace.visible]
    # Random: two edges and a mean; evolution: two repeats, a mean, and where it breaks even.
    assert [trace.meta[1] for trace in shown] == ["evolution"] * 4 + ["random"] * 3
    diamond = shown[3]
    assert (diamond.marker.symbol, diamond.x, diamond.y) == ("diamond", (2.0,), (0.7,))
    (line,) = figures["validation"].layout.shapes
    assert line.y0 == 0.7


def test_names_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    name = "</script><b>x"
    run = make_search(tmp_path / "run", [0.5, 0.6], method=name)
    page = write_comparison(compare_runs([run]), tmp_path / "page.html").read_text()
    assert name not in page
    assert "&lt;/script&gt;&lt;b&gt;x" in page
