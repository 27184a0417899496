"""What is packed works where there is no checkout: from a wheel that was built from the source archive."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*command: object, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the packages as a wheel installs them, and nothing else."""
    place = tmp_path_factory.mktemp("package")
    source = place / "source"
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if files.returncode != 0:
        pytest.skip("this is no git checkout: what belongs to the source cannot be listed")
    for name in files.stdout.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", place)
    run(*build, source, cwd=place)  # the source archive, and from it the wheel
    (wheel,) = place.glob("*.whl")
    target = place / "site"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps")
    run(*pip, "--no-compile", "--target", target, wheel, cwd=place)
    return target


def test_an_installed_package_finds_its_data(installed: Path) -> None:
    script = (
        "import ambient, descriptors, pretrained\n"
        "from descriptors.proteins import domain_flags, read_domains\n"
        "print(ambient.__file__)\n"
        "print(ambient.named_space('ambient-10').size)\n"
        "print(domain_flags('Mig2', 'tf', read_domains()[0])['has_c2h2_zinc_finger'])\n"
    )
    # Without site's own folders of the user and of the editable install: -S leaves them out, so they are named last.
    others = [path for path in sys.path if path.endswith("site-packages")]
    path = os.pathsep.join([str(installed), *others])
    out = run(sys.executable, "-S", "-c", script, cwd=installed.parent, PYTHONPATH=path)
    place, size, flag = out.split()
    assert Path(place).is_relative_to(installed)
    assert size == "444528"
    assert float(flag) == 1.0


def test_the_installed_program_shows_its_help(installed: Path) -> None:
    path = os.pathsep.join([str(installed), *(p for p in sys.path if "site-packages" in p)])
    out = run(
        *(sys.executable, "-S", "-m", "ambient.cli.main", "--help"),
        cwd=installed.parent,
        PYTHONPATH=path,
    )
    assert "describe" in out


def test_tests_and_benchmarks_are_not_installed(installed: Path) -> None:
    held = {path.name for path in installed.iterdir()}
    assert {"ambient", "descriptors", "pretrained"} <= held
    assert not held & {"tests", "benchmarks", "docs"}
