"""Seconds and memory of evaluation and gate: 10,000 test images, 120 classes, ten slices, champion and challenger.

python -m tests.benchmarks.evaluation; with a number, so many test images: python -m tests.benchmarks.evaluation 1000
"""

import json
import resource
import sys
import time
from dataclasses import asdict

import numpy as np
from numpy.random import Generator

from configs.judging import Gate
from tasks.domain.answers import Predictions, answered
from tasks.domain.comparison import Exam
from tasks.domain.gate import Facts, judge
from tasks.domain.holdings import Holdings
from tasks.domain.measured import measure
from tasks.domain.paired import paired
from tasks.domain.slices import members
from tasks.modeling.head import Head

CLASSES = tuple(f"breed {number:03}" for number in range(120))
WIDTH = 2048
VALUES = (("coat", 5), ("tone", 3), ("age", 2))  # ten slices over all classes, and each within each class


def heads(chance: Generator) -> tuple[Head, Head]:
    """Draw a champion, and a challenger that knows a little more."""
    truth = chance.normal(size=(WIDTH, len(CLASSES))).astype(np.float32) / np.sqrt(WIDTH)
    noise = [chance.normal(size=truth.shape).astype(np.float32) / np.sqrt(WIDTH) for _ in range(2)]
    bias = np.zeros(len(CLASSES), np.float32)
    return Head(CLASSES, 3 * truth + noise[0], bias), Head(CLASSES, 3 * truth + 1.2 * noise[1], bias)


def exam(features: np.ndarray, challenger: Head, chance: Generator) -> Exam:
    """Give each image the class that the challenger finds likeliest, or now and then any, and attributes."""
    images = len(features)
    labels = np.where(chance.random(images) < 0.8, challenger.logits(features).argmax(axis=1), 0)
    labels = np.where(labels == 0, chance.integers(0, len(CLASSES), images), labels)
    drawn = {name: chance.integers(0, values, images) for name, values in VALUES}
    attributes = [tuple((name, f"{name} {drawn[name][row]}") for name in drawn) for row in range(images)]
    return Exam([CLASSES[place] for place in labels], [str(row // 2) for row in range(images)], attributes)


def main() -> None:
    """Time each part once and print a table."""
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    chance, gate = np.random.default_rng(0), Gate()
    features = chance.standard_normal((images, WIDTH), dtype=np.float32)
    ours, theirs = heads(chance)
    some = exam(features, ours, chance)
    marks = [time.perf_counter()]

    said = [Predictions(CLASSES, head.probabilities(features)) for head in (ours, theirs)]
    marks.append(time.perf_counter())
    groups = np.unique(some.groups, return_inverse=True)[1].astype(np.int64)
    mine, former = (answered(one, some.labels, CLASSES) for one in said)
    paired(mine, former, members(some.labels, [()] * images), groups)
    marks.append(time.perf_counter())
    found = measure(said[0], said[1], some, gate.minimum_support)
    marks.append(time.perf_counter())
    verdict = judge(Facts(found, None, Holdings(dict.fromkeys(CLASSES, 100), (), 0.0, None, "")), gate)
    marks.append(time.perf_counter())
    size = len(json.dumps(asdict(found))) / 1e6
    marks.append(time.perf_counter())

    print(f"{images:,} test images, {len(CLASSES)} classes, {len(found.slices):,} slices, {WIDTH:,} features")
    print(f"{verdict}\n")
    print("| part | seconds |\n|---|---|")
    parts = (
        "both heads' answers from stored features",
        "2,000 rounds of the bootstrap, without slices (again in the next)",
        "all figures, slices and differences",
        "the gate",
        f"evaluation.json, {size:.1f} MB",
    )
    for part, start, end in zip(parts, marks, marks[1:], strict=False):
        print(f"| {part} | {end - start:.2f} |")
    print(f"\npeak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
