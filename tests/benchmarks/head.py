"""Seconds and memory that training a head takes: 120 classes, 2,048 features an image, default settings.

python -m tests.benchmarks.head; with a number, only so many images:
python -m tests.benchmarks.head 100000
"""

import json
import resource
import subprocess
import sys
import time

import numpy as np

from configs.schema import Training
from tasks.modeling.head.training import Examples, build_fit_options, calibrate, train_head

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
    return Examples(features, truth.tolist(), [f"{number}" for number in range(images)], images)


def measure(images: int) -> None:
    """Train and calibrate in this process, and print what it cost as JSON."""
    # What a run learns from beside so many training images: its validation images.
    examples = clusters(images + images * 15 // 65, 1)
    settings, seconds = Training(), list[float]()
    wall, used = time.perf_counter(), time.process_time()
    head, held = train_head(
        [f"class {index}" for index in range(CLASSES)],
        examples,
        build_fit_options(settings),
        lambda _number, figures: seconds.append(figures["validation_loss"]),
    )
    calibrate(head, held, settings.sure_precision)
    print(
        json.dumps(
            {
                "tried": len(seconds),
                "wall": time.perf_counter() - wall,
                "used": time.process_time() - used,
                "features": examples.features.nbytes / 1e6,
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
            }
        )
    )


def alone(images: int) -> dict[str, float]:
    """Measure in a process of its own, whose peak memory is only its own."""
    code = f"from tests.benchmarks.head import measure; measure({images})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Print one row a number of images."""
    counts = [int(sys.argv[1])] if len(sys.argv) > 1 else COUNTS
    print("| training images | weight decays tried | seconds | CPU seconds | features, MB | peak memory, MB |")
    print("|---|---|---|---|---|---|")
    for images in counts:
        figures = alone(images)
        print(
            f"| {images:,} | {figures['tried']} | {figures['wall']:.1f} | {figures['used']:.1f}"
            f" | {figures['features']:,.0f} | {figures['peak']:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
