"""Seconds and memory of evaluation, gate and report: 10,000 test images, 120 classes, ten slices, two models.

python -m tests.benchmarks.evaluation; with a number, so many test images: python -m tests.benchmarks.evaluation 1000
"""

import io
import json
import resource
import sys
import time
from dataclasses import asdict, replace

import numpy as np
from numpy.random import Generator
from PIL import Image

from configs.judging import Gate
from tasks.domain.answers import Predictions, answered
from tasks.domain.comparison import Exam
from tasks.domain.gate import Facts, Verdict, judge
from tasks.domain.holdings import Holdings
from tasks.domain.manifest import Row
from tasks.domain.measured import Measured, measure
from tasks.domain.mistakes import Query, mistakes, nearest
from tasks.domain.night import Challenger, Dataset, Embedded, Evaluation, FeatureSet, Trained
from tasks.domain.paired import paired
from tasks.domain.slices import members
from tasks.domain.splits import Split
from tasks.modeling.head import Head
from tasks.reports.evaluation_page import Report, evaluation_page, pictured
from tasks.reports.model_card import card_html, card_markdown, model_card
from tasks.reports.thumbnails import thumbnail

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


def explained(said: list[Predictions], some: Exam, features: np.ndarray, facts: tuple[Measured, Verdict]) -> int:
    """Make the report and the model card as the step does, with large photographs; return the report's bytes.

    The test images' own features stand for those of the training images.
    """
    found, verdict = facts
    rows = [
        Row(str(number), label, Split.TEST, one, f"{label}/{number}.jpg")
        for number, (label, one) in enumerate(zip(some.labels, some.attributes, strict=True))
    ]
    seen = mistakes(rows, *said)
    queries = [Query(features[int(one.image)], label) for one in seen.worst for label in (one.truth, one.guess)]
    near = nearest(
        queries, [(rows[start : start + 4096], features[start : start + 4096]) for start in range(0, len(rows), 4096)]
    )
    worst = [replace(one, like_truth=near[2 * n], like_guess=near[2 * n + 1]) for n, one in enumerate(seen.worst)]
    made = FeatureSet("f" * 64, WIDTH)
    evaluation = Evaluation(len(rows), found.flat(), 1, found)
    trained = Trained(made, "a" * 64, "run", 5, 0.8, 0.5)
    report = Report(
        Dataset("d" * 64, None, 6 * len(rows), CLASSES, (), "new", "new"),
        Challenger(Embedded(made, made, 0, 0), trained, evaluation, verdict),
        replace(seen, worst=tuple(worst)),
        {},
        Gate().minimum_support,
    )
    sink = io.BytesIO()
    Image.effect_noise((1600, 1200), 64).convert("RGB").save(sink, "JPEG", quality=80)
    page = evaluation_page(report, {image: thumbnail(sink.getvalue()) for image in pictured(report)})
    sections = model_card(report, "../dataset/card.html")
    card_html("card", sections)
    card_markdown("card", sections)
    return len(page.encode())


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
    page = explained(said, some, features, (found, verdict)) / 1e6
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
        f"the report, {page:.1f} MB, its pictures of 2 megapixels each, and the model card",
    )
    for part, start, end in zip(parts, marks, marks[1:], strict=False):
        print(f"| {part} | {end - start:.2f} |")
    print(f"\npeak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
