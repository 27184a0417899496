"""Is this code faster than that of another commit? Both are measured in turn, since machines change their speed.

    python benchmarks/throughput/alternate.py 6b7c74c

Checks the commit out beside the repository, and measures 1,000 proposals and a PPO update (as propose.py does) with its
code and with this one's, one after the other, in processes of their own. Writes alternate.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ambient.controller.card import Controller
from ambient.files import write_atomic

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TURNS = 5


def main() -> None:
    """Measure; write what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commit", nargs="?")
    parser.add_argument("--measure", action="store_true", help="measure the code that is imported")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measured()))
        return
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / "tree"
        add = ["git", "worktree", "add", "--detach", str(other), arguments.commit]
        subprocess.run(add, cwd=ROOT, check=True, capture_output=True)
        try:
            turns = [(of_tree(other), of_tree(ROOT)) for _ in range(TURNS)]
        finally:
            remove = ["git", "worktree", "remove", "--force", str(other)]
            subprocess.run(remove, cwd=ROOT, check=True, capture_output=True)
    lines = [
        f"Milliseconds, the best of some repeats in each of {TURNS} turns; `{arguments.commit}` and this code in turn.",
        "",
        f"| what | `{arguments.commit}` | this code | the fastest of each, ratio |",
        "|---|---|---|---|",
    ]
    for what in turns[0][0]:
        old, new = ([turn[which][what] for turn in turns] for which in (0, 1))
        cells = [", ".join(f"{value:.0f}" for value in of) for of in (old, new)]
        lines.append(f"| {what} | {' | '.join(cells)} | {min(new) / min(old):.2f} |")
    write_atomic(HERE / "alternate.md", "\n".join(lines) + "\n")
    print("\n".join(lines))


def of_tree(tree: Path) -> dict[str, float]:
    """Measure the code of a tree."""
    command = [sys.executable, __file__, "--measure"]
    where = {**os.environ, "PYTHONPATH": str(tree)}
    said = subprocess.run(command, env=where, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(said.stdout)
    return found


def measured() -> dict[str, float]:
    """Give milliseconds of what is imported."""
    from propose import CONTROLLER, best_of, data_sets, ppo

    controller = Controller.load(CONTROLLER)
    several = data_sets()
    controller.propose(several[:2])
    seconds = {
        "1,000 proposals": best_of(lambda: controller.propose(several)),
        "one proposal": best_of(lambda: controller.propose(several[0])),
        "a PPO update": ppo(controller),
    }
    return {what: 1000 * value for what, value in seconds.items()}


if __name__ == "__main__":
    main()
