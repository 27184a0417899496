"""A program that has many processes write into one store at once and kills some of them.

python store_writers.py STORE WRITERS ROWS KILLED SEED prints what each of them reported written, as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from dataclasses import replace
from pathlib import Path

from tiny_children import evaluation

from ambient.evaluate import Store

ROOM = 4  # a writer that is to be killed would write so many times as many rows as the others
SHARED = 10  # each so many-th row of every other writer has the key of one of its neighbour's rows


def write(path: Path, writer: int, rows: int, room: int, pipe: int, seed: int) -> None:
    """Put a writer's rows, few or many at a time; report them once they are put."""
    rng = random.Random(1000 * seed + writer)
    one = evaluation(host=f"writer {writer}", created="then")
    with Store(path) as store:
        done = 0
        while done < rows:
            count = min(rng.randint(1, 50), rows - done)
            numbers = range(writer * room + done, writer * room + done + count)
            seeds = [n + room if n % SHARED == writer % 2 == 0 else n for n in numbers]
            store.put(*(replace(one, seed=seed) for seed in seeds))
            os.write(pipe, json.dumps(seeds).encode() + b"\n")
            done += count


def main(path: Path, writers: int, rows: int, killed: int, seed: int) -> None:
    """Start the writers, kill some in the middle, wait for the others."""
    rng = random.Random(seed)
    doomed = rng.sample(range(writers), killed)
    pipes, processes = [], []
    for writer in range(writers):
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            own = ROOM * rows if writer in doomed else rows
            write(path, writer, own, ROOM * rows, writing, seed)
            while writer in doomed:  # one that was faster than its killer waits for it
                signal.pause()
            os._exit(0)
        os.close(writing)
        pipes.append(os.fdopen(reading))
        processes.append(process)
    reported: list[list[int]] = [[] for _ in pipes]
    for writer in doomed:
        moment = rng.randint(1, rows // 2)
        while len(reported[writer]) < moment:
            reported[writer] += json.loads(pipes[writer].readline())
        os.kill(processes[writer], signal.SIGKILL)
    for pipe, seeds in zip(pipes, reported, strict=True):
        for line in pipe:
            if line.endswith("\n"):
                seeds += json.loads(line)
    codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]
    print(json.dumps({"reported": reported, "codes": codes}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(text) for text in sys.argv[2:]))
