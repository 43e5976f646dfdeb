"""What a new image costs beside fetching, decoding and the network, where few images are known and where many are.

The store is made up: its images are a few bytes each, and its features of eight numbers. One night brings 1% more than
is known, another one as many as the smaller store knows. In processes of their own; some minutes:

    python -m tests.benchmarks.bookkeeping
"""

import resource
import subprocess
import sys
import time
from hashlib import sha256
from itertools import pairwise
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from tasks.domain.images.augmentation import IDENTITY
from tasks.domain.images.image_info import ImageInfo, ImageProperties
from tasks.domain.images.requested_views import RequestedViews
from tasks.features.missing_features import missing_views
from tasks.stores.kept import KEPT
from tasks.stores.store import Store

ROUNDS, WIDTH = 3, 8
SMALL, LARGE, NEW = 10_000, 1_000_000, 10_000
# Images in one commit of ingest, and in one of features.
INGESTED, EMBEDDED = 1024, 10_000
_FACTS = ImageProperties(0.5, 0.5, 0.5, 0.5)


def image(number: int) -> tuple[ImageInfo, bytes]:
    """Make up an image: its bytes are its number."""
    data = f"image {number}".encode()
    return ImageInfo(sha256(data).hexdigest(), 10, 10, "JPEG", bytes(32), _FACTS), data


def known(url: str, images: int) -> list[str]:
    """Fill a store, and return the names of what it knows."""
    store, names = Store(url), []
    for start, end in pairwise([*range(0, images, 100_000), images]):
        batch = [image(number) for number in range(start, end)]
        store.images.add(batch)
        names += [info.image for info, _ in batch]
        features = np.zeros((len(batch), WIDTH), np.float32)
        store.features("net", WIDTH).add([info.image for info, _ in batch], features)
    return names


def night(url: str, names: list[str], new: list[tuple[ImageInfo, bytes]]) -> float:
    """Do what a night does with new images, and return the CPU that it took, in seconds."""
    # A run has the names of a version in columns, as its manifest holds them.
    images = pa.array([*names, *(info.image for info, _ in new)])
    # Each night is a process of its own, which knows nothing of the one before.
    KEPT._values.clear()
    started = time.process_time()
    ingested = Store(url)
    for start in range(0, len(new), INGESTED):
        batch = {info.image: (info, data) for info, data in new[start : start + INGESTED]}
        ingested.images.add([batch[name] for name in ingested.images.lacking(list(batch))])
    embedding = Store(url)
    features = embedding.features("net", WIDTH)
    requested = RequestedViews(images, np.zeros(len(images), np.int32), ((IDENTITY,),))
    missing = list(missing_views(features, missing_views(features, requested)))
    if len(missing) != len(new):
        raise RuntimeError(f"{len(missing)} images lack features")
    for start in range(0, len(new), EMBEDDED):
        part = [name for name, _ in embedding.images.read(missing[start : start + EMBEDDED])]
        features.add(part, np.zeros((len(part), WIDTH), np.float32))
    return time.process_time() - started


def measure(images: int, new_images: int) -> None:
    """Print the microseconds of each new image in the nights, and the memory in MB before them and at its peak."""
    with TemporaryDirectory() as folder:
        names = known(folder, images)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        costs = []
        for _ in range(ROUNDS):
            new = [image(number) for number in range(len(names), len(names) + new_images)]
            costs.append(night(folder, names, new) / new_images * 1e6)
            names += [info.image for info, _ in new]
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(median(costs), before / 1024, after / 1024)


def show(images: int, new_images: int) -> float:
    """Measure in a process of its own, print a line of the table, and return the microseconds of each new image."""
    command = [sys.executable, "-m", "tests.benchmarks.bookkeeping", str(images), str(new_images)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    cost, before, after = map(float, done.stdout.split())
    print(f"| {images:,} | {new_images:,} | {cost:.0f} | {before:.0f} | {after:.0f} |", flush=True)
    return cost


def main() -> None:
    """Print the table."""
    print("| known | new | microseconds of CPU for each new one | peak MB with the store made | after the nights |")
    print("|---|---|---|---|---|")
    percent, equal, large = show(SMALL, SMALL // 100), show(SMALL, NEW), show(LARGE, NEW)
    print(f"\n1% new: {large / percent:.2f} times (bar: 1.5); as many new: {large / equal:.2f} times")


if __name__ == "__main__":
    measure(*map(int, sys.argv[1:])) if sys.argv[1:] else main()
