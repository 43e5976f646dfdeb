"""Seconds and memory that training a head takes: 120 classes, 2,048 features an image, default settings.

python -m tests.benchmarks.head; with numbers, only so many images and epochs at most:
python -m tests.benchmarks.head 100000 3
"""

import json
import resource
import subprocess
import sys
import time

import numpy as np

from configs.schema import Training
from tasks.modeling.training import Examples, calibrated, train_head

COUNTS = (1_000, 10_000, 100_000)
CLASSES, WIDTH, BLOCK = 120, 2048, 1000
# How far apart the classes are, so that about a third of the validation images is told apart: hard, as breeds are.
APART = 0.08


def clusters(images: int, seed: int) -> Examples:
    """Draw features around one middle a class, block by block, so that drawing needs no more memory than they do."""
    chance = np.random.default_rng(seed)
    middles = np.random.default_rng(0).normal(scale=APART, size=(CLASSES, WIDTH)).astype(np.float32)
    truth, features = chance.integers(0, CLASSES, images), np.empty((images, WIDTH), np.float32)
    for start in range(0, images, BLOCK):
        block = features[start : start + BLOCK]
        chance.standard_normal(dtype=np.float32, out=block)
        block += middles[truth[start : start + BLOCK]]
    return Examples(features, truth.tolist())


def measure(images: int, epochs: int) -> None:
    """Train and calibrate in this process, and print what it cost as JSON."""
    train, validation = clusters(images, 1), clusters(images * 15 // 65, 2)
    settings, told = Training(epochs=epochs), []
    wall, used = time.perf_counter(), time.process_time()
    head = train_head(
        [f"class {index}" for index in range(CLASSES)],
        train,
        validation,
        settings,
        lambda _epoch, figures: told.append(figures),
    )
    calibrated(head, validation, settings.sure_precision)
    print(
        json.dumps(
            {
                "epochs": len(told),
                "wall": time.perf_counter() - wall,
                "used": time.process_time() - used,
                "features": (train.features.nbytes + validation.features.nbytes) / 1e6,
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
            }
        )
    )


def alone(images: int, epochs: int) -> dict[str, float]:
    """Measure in a process of its own, whose peak memory is only its own."""
    code = f"from tests.benchmarks.head import measure; measure({images}, {epochs})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print one row a number of images."""
    counts = [int(sys.argv[1])] if len(sys.argv) > 1 else COUNTS
    epochs = int(sys.argv[2]) if len(sys.argv) > 2 else Training().epochs
    print(
        "| training images | epochs | seconds | CPU seconds | CPU seconds an epoch | features, MB | peak memory, MB |"
    )
    print("|---|---|---|---|---|---|---|")
    for images in counts:
        found = alone(images, epochs)
        each = found["used"] / found["epochs"]
        print(
            f"| {images:,} | {found['epochs']} | {found['wall']:.1f} | {found['used']:.1f} | {each:.2f}"
            f" | {found['features']:,.0f} | {found['peak']:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
