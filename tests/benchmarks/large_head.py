"""Memory and time of a head that learns block by block from a store: 20 classes, 2,048 features an image.

python -m tests.benchmarks.large_head FOLDER; with numbers, so many images instead of 100,000 and 300,000:
python -m tests.benchmarks.large_head FOLDER 100000 300000
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from configs.schema import Training
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.modeling.head.block_training import train_head_from_blocks
from tasks.modeling.head.training import build_fit_options
from tasks.stores.store import Store
from tasks.stores.tables.features import FeatureStore
from tasks.training.block_examples import open_block_examples

COUNTS = (100_000, 300_000)
CLASSES, WIDTH, BLOCK = 20, 2048, 10_000
APART = 0.08
LABELS = [f"class {index:02}" for index in range(CLASSES)]


def features_in(folder: Path) -> FeatureStore:
    """Return the table of made-up features."""
    return Store(str(folder)).features("0" * 64, WIDTH)


def rows_of(images: int) -> list[Row]:
    """Name so many images, with the class that their name gives."""
    return [Row(f"{number:064x}", LABELS[number % CLASSES], Split.TRAIN, (), "") for number in range(images)]


def fill(folder: Path, images: int) -> None:
    """Write features around one middle a class, in an order of their own, as several workers would."""
    chance, table = np.random.default_rng(1), features_in(folder)
    middles = np.random.default_rng(0).normal(scale=APART, size=(CLASSES, WIDTH)).astype(np.float32)
    order = chance.permutation(images)
    for start in range(0, images, BLOCK):
        numbers = order[start : start + BLOCK]
        vectors = chance.standard_normal((len(numbers), WIDTH), np.float32) + middles[numbers % CLASSES]
        table.add([f"{number:064x}" for number in numbers.tolist()], vectors)


def measure(folder: Path, images: int) -> None:
    """Train in this process, and print what it cost as JSON."""
    rows, steps = rows_of(images), list[dict[str, float]]()
    table, training = features_in(folder), Training()
    options = build_fit_options(training)
    before, wall, used = _peak(), time.perf_counter(), time.process_time()
    with open_block_examples(rows, LABELS, table, training, {}) as examples:
        copied = time.process_time() - used
        train_head_from_blocks(LABELS, examples, options, lambda _number, figures: steps.append(dict(figures)))
    best = min(steps, key=lambda figures: figures["validation_loss"])
    cost = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - used, "copying": copied}
    print(json.dumps({**cost, "before": before, "peak": _peak(), "accuracy": best["validation_accuracy"]}))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main(folder: Path, counts: Sequence[int]) -> None:
    """Measure each number of images in a process of its own, since memory is never given back, and print the table."""
    print("| images | features, MB | by the clock, s | CPU, s | of it copying, s | before, MB | peak, MB | accuracy |")
    print("|---|---|---|---|---|---|---|---|")
    for images in counts:
        part = folder / str(images)
        if not part.exists():
            fill(part, images)
        command = [sys.executable, "-m", "tests.benchmarks.large_head", str(part), "measure", str(images)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own program
        cost = json.loads(done.stdout)
        figures = " | ".join(f"{cost[name]:,.0f}" for name in ("wall", "cpu", "copying", "before", "peak"))
        print(f"| {images:,} | {images * WIDTH * 4 / 1e6:,.0f} | {figures} | {cost['accuracy']:.3f} |", flush=True)


if __name__ == "__main__":
    if sys.argv[2:3] == ["measure"]:
        measure(Path(sys.argv[1]), int(sys.argv[3]))
    else:
        main(Path(sys.argv[1]), [int(count) for count in sys.argv[2:]] or COUNTS)
