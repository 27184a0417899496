"""Fuzz the readers of every text format with atheris, guided by the lines of `descriptors` that a file reaches.

    pip install atheris
    python benchmarks/descriptors/fuzz_atheris.py [--seconds 600]

The first byte of each input chooses the format, the rest is the file. What must hold is what fuzz.py asks for. A
finding does not end the run: findings are told apart by where they were raised. Writes fuzz_atheris.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import atheris
from common import HERE, REPOSITORY, machine

os.environ["AMBIENT_CACHE"] = ""
sys.path.insert(0, str(REPOSITORY / "tests" / "helpers"))
with atheris.instrument_imports(include=["descriptors"]):
    from file_strategies import ODD, bgzip
    from plain_readers import CHECKS

NAMES = tuple(CHECKS)
SEEDS = {
    "BED": b"track name=x\nchr1\t10\t20\tn\t5\t+\nchr2\t1e3\t2000\tn\t.\t-\n",
    "narrowPeak": b"chr1\t10\t20\tn\t5\t+\t7.5\t3\t-1\t4\nchr2\t10\t90\tn\t5\t.\t7\t3\t1\t-1\n",
    "GTF": b'chr1\t.\tgene\t1\t99\t.\t+\t.\tgene_id "g";\n'
    b'chr1\t.\texon\t1\t50\t.\t+\t.\ttranscript_id "t";\n'
    b'chr1\t.\tCDS\t60\t99\t.\t+\t.\ttranscript_id "u";\n',
    "GFF3": b"##gff-version 3\nchr1\t.\texon\t1\t50\t.\t+\t.\tParent=a,b\n##FASTA\n>chr1\nAC\n",
    "HOMER": b">ACGT\t1-ACGT\t2.5\t-90.0\t0\tT:51.0(4.98%),B:22.3(0.05%),P:1e-39\t"
    b"StrandBias:0.10,Multiplicity:1.02\n0.970\t0.010\t0.010\t0.010\n",
    "FASTA": b">chr1 note\nACGTN\nacgtrykm\n>chr2\nTT\n",
    "InterPro": b"factor\tinterpro\nCTCF\tIPR013087;IPR036236\nGATA1\t-\n",
}
EVERY = 100  # executions between two writings of the record: libFuzzer ends the process itself


class Fuzzing:
    """Counts executions and findings of one run."""

    def __init__(self, folder: Path, seconds: int) -> None:
        self.folder = folder
        self.seconds = seconds
        self.begun = time.monotonic()
        self.executions = dict.fromkeys(NAMES, 0)
        self.findings: dict[str, dict[str, Any]] = {}

    def one(self, data: bytes) -> None:
        """Try one input."""
        name = NAMES[(data[0] if data else 0) % len(NAMES)]
        path = self.folder / name  # a name may say what the columns are: narrowPeak
        path.write_bytes(data[1:])
        try:
            CHECKS[name](path)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
            if where not in self.findings:
                print(f"finding: {name}: {where}: {error} {data[1:]!r}", file=sys.stderr)
            self.findings.setdefault(where, {"format": name, "input": data[1:].hex()})
        self.executions[name] += 1
        if sum(self.executions.values()) % EVERY == 0:
            self.write()

    def write(self) -> None:
        """Write what is known so far."""
        record = {
            "command": f"python benchmarks/descriptors/fuzz_atheris.py --seconds {self.seconds}",
            "machine": machine("atheris", "numpy", "pandas"),
            "seconds": round(time.monotonic() - self.begun),
            "executions": self.executions,
            "findings": self.findings,
        }
        (HERE / "fuzz_atheris.json").write_text(json.dumps(record, indent=1) + "\n")


def main() -> None:
    """Fuzz until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for at, name in enumerate(NAMES):
            (corpus / str(at)).write_bytes(bytes([at]) + SEEDS[name])
            (corpus / f"{at}.bgz").write_bytes(bytes([at]) + bgzip(SEEDS[name]))
            (corpus / f"{at}.gz").write_bytes(bytes([at]) + gzip.compress(SEEDS[name], mtime=0))
        words = Path(folder) / "words"
        tokens = [token.encode("utf-8", "surrogatepass") for token in ODD if token]
        escaped = ["".join(f"\\x{byte:02x}" for byte in token) for token in [*tokens, b"\t", b"\r"]]
        words.write_text("".join(f'"{token}"\n' for token in escaped))
        fuzzing = Fuzzing(Path(folder), options.seconds)
        limits = [f"-max_total_time={options.seconds}", "-timeout=60", "-max_len=600"]
        atheris.Setup([sys.argv[0], *limits, f"-dict={words}", str(corpus)], fuzzing.one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
