"""One piece of work in a process of its own, which prints how many seconds it took without the imports.

python -m tests.benchmarks.work line|hashed|decode|diff|checkout|lance-write|lance-export ARGUMENTS
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from time import perf_counter
from typing import Any

import lance
import pyarrow as pa
from PIL import Image

from configs.schema import Settings
from tasks import step
from tasks.catalog.export import checkout
from tasks.catalog.versions import diff
from tasks.datasets import assemble, label
from tasks.ingestion import ingest, snapshot
from tasks.stores.store import Store
from tests.benchmarks.hashing import Hasher

_SCHEMA = pa.schema([("image", pa.string()), ("data", pa.large_binary())])
_ROWS = 256


def line(source: str, store: str) -> str:
    """Take the data half of the line without Prefect, whose server takes seconds to start whatever there is to do."""
    settings = Settings.model_validate(
        {"source": {"url": source}, "store": {"url": store}, "dataset": {"min_images_per_class": 3}}
    )
    bare: Callable[[Any], Callable[..., Any]] = lambda task: task.fn.__wrapped__  # noqa: E731 - the step as it is
    listed = bare(snapshot.snapshot)(settings.source, settings.store)
    ingested = bare(ingest.ingest)(listed, settings)
    labels = bare(label.label)(ingested, settings.labels, settings.store)
    version = bare(assemble.assemble)(labels, settings, force=True)
    if version.state == "waiting":
        raise ValueError(f"No version is written, since {version.reason}")
    return str(version.hash)


def hashed(source: str, store: str) -> str:
    """Take the same steps with files that are hashed and not decoded."""
    ingest.Decoder = Hasher  # type: ignore[assignment, attr-defined]
    return line(source, store)


def decode(source: str) -> str:
    """Decode every file wholly, one after the other, and do nothing else."""
    paths = list(Path(source).rglob("*.jpg"))
    for path in paths:
        Image.open(path).load()
    return str(len(paths))


def lance_write(source: str, table: str, first: str = "0") -> str:
    """Write the files from this one on, by name, with their SHA-256 into a Lance table, in one commit."""
    paths = sorted(path for path in Path(source).rglob("*.jpg"))[int(first) :]

    def rows() -> Iterator[pa.RecordBatch]:
        for start in range(0, len(paths), _ROWS):
            data = [path.read_bytes() for path in paths[start : start + _ROWS]]
            yield pa.record_batch([[hashlib.sha256(picture).hexdigest() for picture in data], data], schema=_SCHEMA)

    mode = "append" if Path(table).exists() else "create"
    lance.write_dataset(rows(), table, schema=_SCHEMA, mode=mode)
    return str(len(paths))


def lance_export(table: str, folder: str) -> str:
    """Write each row of a Lance table's first version as a file."""
    Path(folder).mkdir()
    for batch in lance.dataset(table, version=1).to_batches(batch_size=64):
        for name, data in zip(batch["image"].to_pylist(), batch["data"].to_pylist(), strict=True):
            (Path(folder) / f"{name}.jpg").write_bytes(data)
    return folder


@contextmanager
def quiet(_title: str, _total: int, **_more: object) -> Iterator[Callable[..., None]]:
    """Show no progress."""
    yield lambda _done, _seconds=None, /: None


_WORK: dict[str, Callable[..., Any]] = {
    "line": line,
    "hashed": hashed,
    "decode": decode,
    "diff": lambda store, before, other: diff(Store(store), before, other).before,
    "checkout": lambda store, version, folder: checkout(Store(store), version, Path(folder), quiet).folder,
    "lance-write": lance_write,
    "lance-export": lance_export,
}


def main(kind: str, *arguments: str) -> None:
    """Do the work and print its answer and its seconds as JSON."""
    for module in (ingest, label):
        module.show_progress = quiet  # type: ignore[attr-defined]
    step.log_line = lambda _text: None  # type: ignore[assignment]
    start, worked = perf_counter(), _cpu()
    answer = _WORK[kind](*arguments)
    print(json.dumps({"answer": answer, "seconds": perf_counter() - start, "cpu": _cpu() - worked}))


def _cpu() -> float:
    """Count this process's seconds of CPU and those of its children that have ended."""
    return sum(used.ru_utime + used.ru_stime for used in (getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)))


if __name__ == "__main__":
    main(*sys.argv[1:])
