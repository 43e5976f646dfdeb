"""CPU and memory of the steps before training, step by step, for stores of several sizes made in columns.

    python -m tests.benchmarks.columns FOLDER [--known 100000 1000000]

Each line is a process of its own: a first run over what is known, which groups all images, two with nothing new after a
decision, and one over 1% new images, which were fetched and decoded before and have no split yet. Seconds are of CPU,
peaks in MB.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import process_time
from typing import Any

import pyarrow as pa

from configs.load import read_settings
from configs.schema import Settings
from tasks import step
from tasks.domain.ingestion.source_objects import SourceFilter
from tasks.domain.registry.decisions import Decision
from tasks.domain.registry.model_record import hash_settings
from tasks.stores.objects import object_store
from tasks.stores.store import Store
from tests.benchmarks.column_store import SOURCE, TAKEN, add_fetched, make_listing, make_store, write_settings

_MEGABYTE = 1024


class MadeUpBucket:
    """A source that lists so many entries, and holds nothing to read."""

    def __init__(self, number: int) -> None:
        """Take the number of entries."""
        self.url, self._number = SOURCE, number

    def listing(self, prefix: str = "", names: SourceFilter | None = None) -> pa.Table:  # noqa: ARG002 - a bucket's own
        """Return the listing, in which nothing is passed over."""
        return make_listing(self._number)


def run_steps(path: Path, number: int) -> None:
    """Take the steps as they are, without Prefect, and print what each cost as JSON."""
    from tasks.datasets import assemble, label
    from tasks.ingestion import ingest, snapshot

    step.log_line = lambda _text: None  # type: ignore[assignment]
    settings, bucket, costs = read_settings(path), MadeUpBucket(number), dict[str, Any]()
    costs["imports"] = [round(process_time(), 2), _peak()]

    def measure(name: str, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - a step's result
        before = process_time()
        result = function(*arguments)
        costs[name] = [round(process_time() - before, 2), _peak()]
        return result

    bare: Callable[[Any], Callable[..., Any]] = lambda task: task.fn.__wrapped__  # noqa: E731 - the step as it is
    vars(object_store)["open_bucket"] = lambda _url: bucket
    listed = measure("snapshot", bare(snapshot.snapshot), settings.source, settings.store)
    ingested = measure("ingest", bare(ingest.ingest), listed, settings)
    labels = measure("label", bare(label.label), ingested, settings.labels, settings.store)
    dataset = measure("assemble", bare(assemble.assemble), labels, settings, False)  # noqa: FBT003 - force
    # Last, since the first of the two would also pay for what is imported late.
    measure("listing", lambda: bucket.listing().num_rows)
    costs["snapshot"][0] = round(costs["snapshot"][0] - costs["listing"][0], 2)
    costs["beyond listing"] = [round(sum(costs[name][0] for name in _STEPS), 2), _peak()]
    print(json.dumps({"costs": costs, "hash": dataset.hash, "state": dataset.state}))


_STEPS = ("snapshot", "ingest", "label", "assemble")


def _peak() -> int:
    return getrusage(RUSAGE_SELF).ru_maxrss // _MEGABYTE


def measure_process(path: Path, number: int) -> dict[str, Any]:
    """Take the steps in a process of its own, and return what they cost."""
    command = [sys.executable, "-m", "tests.benchmarks.columns", str(path.parent), "--steps", str(number)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - this very module
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def decide(store: Store, settings: Settings, dataset: str) -> None:
    """Write into the store that the gate has decided about a dataset version, and that the listing is answered."""
    store.processed_snapshots.write(SOURCE, datetime.now(UTC).isoformat(), "rejected")
    number = len(store.ledger.entries()) + 1
    recipe = hash_settings(settings)
    store.ledger.append(
        Decision(number, TAKEN, "rejected", None, None, dataset, recipe, "backbone", "head", "run", "1", "why", [])
    )


def main() -> None:
    """Print a table for each number of known images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--known", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--steps", type=int)
    parser.add_argument("--new", action="store_true", help="leave out the runs with nothing new")
    given = parser.parse_args()
    if given.steps:
        run_steps(given.folder / "settings.yaml", given.steps)

        return
    print(f"| known | run | state | {' | '.join(('imports', 'listing', *_STEPS, 'beyond listing'))} | peak |")
    for known in given.known:
        _measure(given.folder / f"{known}", known, nothing_new=not given.new)


def _measure(folder: Path, known: int, *, nothing_new: bool) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store, path = make_store(folder, known), write_settings(folder)
    first = measure_process(path, known)
    _show(known, "first", first)
    decide(store, read_settings(path), first["hash"])
    if nothing_new:
        _show(known, "nothing new", measure_process(path, known))
        _show(known, "nothing new again", measure_process(path, known))
    more = known + known // 100
    add_fetched(store, known, more)
    _show(known, "1% new", measure_process(path, more))
    shutil.rmtree(folder)


def _show(known: int, title: str, run: dict[str, Any]) -> None:
    costs = run["costs"]
    seconds = " | ".join(f"{costs[name][0]:.2f}" for name in ("imports", "listing", *_STEPS, "beyond listing"))
    print(
        f"| {known:,} | {title} | {run['state']} {run['hash'][:8]} | {seconds} | {costs['beyond listing'][1]:,} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
