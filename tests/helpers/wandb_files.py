"""Read back what Weights & Biases wrote offline into a run's folder."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = 32768  # W&B writes LevelDB's log format: blocks of 32 KiB, each record whole or in pieces


def read_records(path: Path) -> Iterator[Any]:
    """Read a .wandb file: a header of 7 bytes, then protocol buffer records in a LevelDB log."""
    from wandb.proto import wandb_internal_pb2

    content = path.read_bytes()
    assert content[:4] == b":W&B"
    position, pending = 7, b""
    while position + 7 <= len(content):
        room = BLOCK - position % BLOCK
        if room < 7:
            position += room
            continue
        _, length, kind = struct.unpack("<IHB", content[position : position + 7])
        pending += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            record = wandb_internal_pb2.Record()
            record.ParseFromString(pending)
            pending = b""
            yield record


def records_of(folder: Path, kind: str) -> list[Any]:
    """Give the records of one kind in every offline file of a run, in the order of writing."""
    return [
        getattr(record, kind)
        for path in sorted(folder.glob("wandb/offline-run-*/*.wandb"))
        for record in read_records(path)
        if record.WhichOneof("record_type") == kind
    ]


def read_history(folder: Path) -> list[dict[str, Any]]:
    """Give the logged steps; parts of a name are joined by slashes."""
    return [
        {
            **{"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in record.item},
            "step": record.step.num,
        }
        for record in records_of(folder, "history")
    ]


def read_config(folder: Path) -> dict[str, Any]:
    """Give the configuration that the first record of a run holds."""
    first = records_of(folder, "run")[0]
    return {update.key: json.loads(update.value_json) for update in first.config.update}


def read_media(folder: Path, name: str) -> Any:
    """Give the JSON of the last table or figure that was logged under a name."""
    (*_, path) = [row[f"{name}/path"] for row in read_history(folder) if f"{name}/path" in row]
    (found,) = folder.glob(f"wandb/offline-run-*/files/{path}")
    return json.loads(found.read_text())


def read_artifacts(folder: Path) -> dict[tuple[str, str], dict[str, bytes]]:
    """Give type and name of each artifact with the contents of its files."""
    return {
        (record.type, record.name): {
            entry.path: Path(entry.local_path).read_bytes() for entry in record.manifest.contents
        }
        for record in records_of(folder, "artifact")
    }
