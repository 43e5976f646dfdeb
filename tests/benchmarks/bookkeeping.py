"""What a new image costs beside fetching, decoding and the network, where few images are known and where many are.

The store is made up: its images are a few bytes each, and its features of eight numbers. In turns, in processes of
their own; some minutes: python -m tests.benchmarks.bookkeeping
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

from tasks.domain.images.augmentation import IDENTITY
from tasks.domain.images.image_info import ImageInfo, ImageProperties
from tasks.features.missing_features import missing_views
from tasks.stores.store import Store

KNOWN, NEW, ROUNDS, WIDTH = (10_000, 1_000_000), 10_000, 3, 8
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


def night(url: str, names: list[str], first: int) -> float:
    """Do what a night does with new images, and return the CPU that it took, in seconds."""
    new = [image(number) for number in range(first, first + NEW)]
    started = time.process_time()
    ingested = Store(url)
    for start in range(0, NEW, INGESTED):
        batch = {info.image: (info, data) for info, data in new[start : start + INGESTED]}
        ingested.images.add([batch[name] for name in ingested.images.lacking(list(batch))])
    embedding = Store(url)
    features = embedding.features("net", WIDTH)
    requested = dict.fromkeys([*names, *(info.image for info, _ in new)], (IDENTITY,))
    missing = list(missing_views(features, missing_views(features, requested)))
    if len(missing) != NEW:
        raise RuntimeError(f"{len(missing)} images lack features")
    for start in range(0, NEW, EMBEDDED):
        part = [name for name, _ in embedding.images.read(missing[start : start + EMBEDDED])]
        features.add(part, np.zeros((len(part), WIDTH), np.float32))
    return time.process_time() - started


def measure(images: int) -> None:
    """Print the microseconds of each new image in some nights, and the most memory, in MB, that a night added."""
    with TemporaryDirectory() as folder:
        names = known(folder, images)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        costs = []
        for number in range(ROUNDS):
            first = images + number * NEW
            costs.append(night(folder, names, first) / NEW * 1e6)
            names += [image(number)[0].image for number in range(first, first + NEW)]
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(median(costs), before / 1024, after / 1024)


def main() -> None:
    """Print the table."""
    print("| images known | microseconds of CPU for each of 10,000 new ones | peak with the store made, MB | after |")
    print("|---|---|---|---|")
    costs = {}
    for images in KNOWN:
        command = [sys.executable, "-m", "tests.benchmarks.bookkeeping", str(images)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
        costs[images], before, after = map(float, done.stdout.split())
        print(f"| {images:,} | {costs[images]:.0f} | {before:.0f} | {after:.0f} |")
    print(f"\n{costs[KNOWN[1]] / costs[KNOWN[0]]:.2f} times (bar: 1.5)")


if __name__ == "__main__":
    measure(int(sys.argv[1])) if sys.argv[1:] else main()
