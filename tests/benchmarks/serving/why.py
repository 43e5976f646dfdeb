"""What it costs to say why: the search through many training images, beside the CPU of an answer."""

import time
from collections.abc import Callable

import numpy as np

from configs.cores import single_threaded_numpy
from tasks.domain.serving.nearest import explain, measure_rarity, measure_unusual, sort_training_images
from tests.benchmarks.serving.bars import CLIENTS, Run
from tests.benchmarks.serving.load import ask

_IMAGES, _TIMES = 10_000, 50


def measure_why(run: Run) -> None:
    """Compare the CPU of a search through 10,000 training images with that of an answer."""
    before = run.served.processor_seconds()
    ask(run.served.address, run.requests, CLIENTS, run.number)
    answer = (run.served.processor_seconds() - before) / run.number
    chance, width = np.random.default_rng(0), run.store.backbone.width
    features = np.abs(chance.normal(size=(_IMAGES, width))).astype(np.float32)
    names = [f"{number:064x}" for number in range(_IMAGES)]
    training = sort_training_images(names, names, [f"class {number % 20}" for number in range(_IMAGES)], features)
    rarity = measure_rarity(training, features[:100])
    probabilities = {"class 1": 0.6, "class 2": 0.4}
    queries = np.abs(chance.normal(size=(_TIMES, width))).astype(np.float32)
    with single_threaded_numpy():
        unusual = _processor(lambda turn: measure_unusual(queries[turn], training, rarity))
        why = _processor(lambda turn: explain(queries[turn], probabilities, training, rarity))
    print(
        f"BAR why at {_IMAGES:,} images of {width:,} features: {1000 * why:.2f} ms of CPU, {100 * why / answer:.1f}% "
        f"of an answer's {1000 * answer:.1f} ms (at most 5%); how unusual alone: {1000 * unusual:.2f} ms"
    )


def _processor(work: Callable[[int], object]) -> float:
    work(0)
    started = time.process_time()
    for turn in range(_TIMES):
        work(turn)
    return (time.process_time() - started) / _TIMES
