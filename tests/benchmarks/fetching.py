"""Fetching and listing from a server with latency: docs/explanation/speed-of-sources.md shows what it printed.

Some minutes on two cores: python -m tests.benchmarks.fetching OBJECTS KEYS

The server is a stub in a process of its own that answers each request after so many milliseconds.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from resource import RUSAGE_SELF, getrusage
from time import perf_counter, process_time

SOURCE = "s3://benchmark/photos"
BYTES = 40_000
FETCHES = (1, 16, 32)
MEGABYTES_A_UNIT = 1024


def fetch(objects: int, threads: int) -> int:
    """Read so many objects, so many at once."""
    from tasks.stores.objects.object_store import open_bucket

    bucket = open_bucket(SOURCE)
    entries = list(bucket.entries())[:objects]
    with ThreadPoolExecutor(threads) as pool:
        return sum(len(data) for data in pool.map(lambda entry: bucket.read(entry.key, entry.etag), entries))


def list_by_pages() -> int:
    """List page by page, as boto3 does it by itself."""
    from tasks.stores.objects.s3_client import s3_client

    pages = s3_client().get_paginator("list_objects_v2").paginate(Bucket="benchmark", Prefix="photos/")
    return sum(len(page["Contents"]) for page in pages)


def list_columns() -> int:
    """List as a run does, into columns."""
    from tasks.stores.objects.object_store import open_bucket

    return open_bucket(SOURCE).listing().num_rows  # type: ignore[no-any-return] # pyarrow has no types


def list_split() -> int:
    """List object by object, and count."""
    from tasks.stores.objects.object_store import open_bucket

    return sum(1 for _ in open_bucket(SOURCE).entries())


def look(store: str) -> int:
    """Take the first step of a run, which lists, compares and records, and count what then waits to be fetched."""
    from configs import schema
    from configs.sections import Source
    from tasks.ingestion.snapshot import snapshot
    from tasks.stores.store import Store

    bare: Callable[..., object] = snapshot.fn.__wrapped__  # type: ignore[attr-defined]
    bare(Source(url=SOURCE), schema.Store(url=store))
    return len(Store(store).snapshots.pending(SOURCE))


def child(kind: str, *arguments: str) -> None:
    """Do one piece of work in this process, and print its seconds, those of its CPU, and its memory's peak in MB."""
    from tasks import step
    from tasks.stores.objects.object_store import open_bucket

    # The imports and the client are there before the clock starts.
    next(iter(open_bucket(SOURCE).entries("photos/class-000/00000000.jpg")), None)
    step.log_line = lambda _text: None  # type: ignore[assignment]
    start, worked = perf_counter(), process_time()
    kinds: dict[str, Callable[[], int]] = {
        "fetch": lambda: fetch(int(arguments[0]), int(arguments[1])),
        "pages": list_by_pages,
        "split": list_split,
        "columns": list_columns,
        "look": lambda: look(arguments[0]),
    }
    count = kinds[kind]()
    seconds, worked = perf_counter() - start, process_time() - worked
    print(json.dumps([count, seconds, worked, getrusage(RUSAGE_SELF).ru_maxrss / MEGABYTES_A_UNIT]))


@contextmanager
def server(seconds: float, keys: int) -> Iterator[None]:
    """Run the stub, and let the AWS variables name it."""
    command = [sys.executable, "-m", "tests.benchmarks.s3_stub", str(seconds), str(keys), str(BYTES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout
        os.environ |= {
            "AWS_ENDPOINT_URL": process.stdout.readline().strip(),
            "AWS_ACCESS_KEY_ID": "stub",
            "AWS_SECRET_ACCESS_KEY": "stub",
            "AWS_REGION": "us-east-1",
        }
        yield
        process.communicate()


def measured(*words: str) -> tuple[int, float, float, float]:
    """Have a piece of work done by a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.fetching", "--child", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - this very module
    count, seconds, worked, peak = json.loads(done.stdout)
    return count, seconds, worked, peak


def print_fetching(objects: int) -> None:
    """Print how fast objects arrive, by how many requests are in flight."""
    print("| latency | requests at once | seconds | of CPU | objects a second | times faster than one |")
    print("|---|---|---|---|---|---|")
    for milliseconds in (10, 50):
        with server(milliseconds / 1000, objects):
            alone = 0.0
            for threads in FETCHES:
                _, seconds, worked, _ = measured("fetch", str(objects), str(threads))
                rate = objects / seconds
                alone = alone or rate
                cells = [f"{seconds:.1f}", f"{worked:.1f}", f"{rate:.0f}", f"{rate / alone:.1f}"]
                print("|", " | ".join([f"{milliseconds} ms", str(threads), *cells]), "|", flush=True)


def print_listing(keys: int) -> None:
    """Print how long a listing takes, whole and split, and what the step that compares it needs."""
    print(f"\n{keys:,} keys in 100 folders\n\n| latency | what | seconds | of CPU | peak MB |\n|---|---|---|---|---|")
    for milliseconds in (0, 10, 100):
        with server(milliseconds / 1000, keys):
            for kind, word in (
                ("boto3, page by page", "pages"),
                ("split by folders", "split"),
                ("in columns", "columns"),
            ):
                _, seconds, worked, peak = measured(word)
                print(f"| {milliseconds} ms | {kind} | {seconds:.1f} | {worked:.1f} | {peak:,.0f} |", flush=True)


def print_looks(keys: int) -> None:
    """Print what the first look at so many keys costs, and the second, which sees the same."""
    print(f"\n{keys:,} keys\n\n| look | seconds | of CPU | peak MB |\n|---|---|---|---|")
    with server(0, keys), tempfile.TemporaryDirectory() as store:
        for kind in ("first: lists and records, all waits", "second: nothing new, all still waits"):
            _, seconds, worked, peak = measured("look", store)
            print(f"| {kind} | {seconds:.1f} | {worked:.1f} | {peak:,.0f} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        child(*sys.argv[2:])
    else:
        print_fetching(int(sys.argv[1]))
        print_listing(min(int(sys.argv[2]), 100_000))
        print_looks(int(sys.argv[2]))
