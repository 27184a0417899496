"""Every fault that `make test` only samples: runs the tests marked `faults` and writes down how they ended.

python benchmarks/faults/run.py [ARGUMENTS OF PYTEST...] writes record.json and record.md beside this file.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import torch

from ambient.files import write_atomic, write_json_atomic
from ambient.version import __version__

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]


def main() -> int:
    """Run the tests and write the record; give pytest's exit code."""
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-m", "faults", f"--junitxml={report}"]
        command += ["-o", "junit_family=xunit1"]  # the kind that holds properties
        code = subprocess.run([*command, *sys.argv[1:]], cwd=REPOSITORY, check=False).returncode
        cases = [_case(case) for case in ElementTree.parse(report).iter("testcase")]
    record = {
        "ambient": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cores": len(os.sched_getaffinity(0)),
        "cases": cases,
    }
    write_json_atomic(HERE / "record.json", record)
    write_atomic(HERE / "record.md", _table(record))
    print(_table(record))
    return code


def _case(case: ElementTree.Element) -> dict[str, Any]:
    ended = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
    counted = {entry.attrib["name"]: int(entry.attrib["value"]) for entry in case.iter("property")}
    return {
        "test": f"{case.attrib['classname'].removeprefix('tests.')}::{case.attrib['name']}",
        "outcome": ended[0] if ended else "passed",
        "wall_seconds": round(float(case.attrib["time"]), 1),
        "counted": counted,
    }


def _table(record: dict[str, Any]) -> str:
    rows = "\n".join(
        f"| {_sentence(case['test'])} | {case['outcome']} | "
        f"{', '.join(f'{name}: {count:,}' for name, count in case['counted'].items()) or '-'} | "
        f"{case['wall_seconds']:,.1f} |"
        for case in record["cases"]
    )
    return f"""# Faults: the whole list

`make faults` runs what `make test` samples; what each test does and promises: docs/faults.md.
ambient {record["ambient"]}, Python {record["python"]}, torch {record["torch"]}, {record["cores"]} cores.

| test | outcome | counted | wall seconds |
|---|---|---|---|
{rows}
"""


def _sentence(test: str) -> str:
    name, _, parameters = test.rpartition("::test_")[2].partition("[")
    return name.replace("_", " ") + (f" ({parameters.rstrip(']')})" if parameters else "")


if __name__ == "__main__":
    sys.exit(main())
