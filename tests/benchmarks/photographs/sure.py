"""Does a promise hold? The share of redrawn runs in which answers called sure are right less often than promised."""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from tasks.domain.significance import wilson_share
from tasks.domain.training.calibration import NEVER, find_threshold, fit_temperature
from tests.benchmarks.photographs.collection import Collection

_RUNS, _PROMISE = 1000, 0.95

Floats = NDArray[np.float64]


def print_sure(monkeys: Collection, dogs: Collection) -> None:
    """Print how often the promise is broken, and how often and of how many answers a model is sure."""
    print(
        f"{_RUNS:,} runs a line, seed 0: validation groups redrawn from held-out answers of a head;\n"
        f"promised {_PROMISE}, held in truth by all answers of which they are drawn\n"
    )
    print("| photographs | cut | validation | runs short | 95% interval | runs sure | coverage then |")
    print("|---|---|---:|---:|---|---:|---:|")
    for collection, cuts in ((monkeys, ("mixed9", "mixed10")), (dogs, ("mixed9",))):
        for cut in cuts:
            logits, truth = _answers(collection.features[cut], collection)
            for images in sorted({len(truth) // 6, len(truth) * 3 // 4}):
                print(f"| {collection.name} | {cut} | {images} | {_line(logits, truth, collection, images)} |")


def _answers(features: NDArray[np.float32], collection: Collection) -> tuple[Floats, NDArray[np.int64]]:
    """Give each image the logits of a head that saw nothing of its group, by five folds."""
    logits = np.zeros((len(features), len(collection.classes)))
    scaled = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    folds = StratifiedGroupKFold(5).split(scaled, collection.truth, collection.groups)
    for learned, held_out in folds:
        head = LogisticRegression(C=0.003, max_iter=200).fit(scaled[learned], collection.truth[learned])
        logits[held_out] = head.decision_function(scaled[held_out])
    return logits, collection.truth


def _line(logits: Floats, truth: NDArray[np.int64], collection: Collection, images: int) -> str:
    runs = np.array([_run(logits, truth, collection, (seed, images)) for seed in range(_RUNS)])
    sure, short, coverage = runs.T
    share = float(short.mean())
    low, high = wilson_share(share, _RUNS)
    covered = f"{coverage[sure > 0].mean():.2f}" if sure.any() else "never sure"
    return f"{share:.1%} | {low:.1%} to {high:.1%} | {sure.mean():.0%} | {covered}"


def _run(
    logits: Floats, truth: NDArray[np.int64], collection: Collection, drawing: tuple[int, int]
) -> tuple[bool, bool, float]:
    """Redraw a validation split and say whether the model is sure, is short of the promise, and how much it covers."""
    seed, images = drawing
    names, group = np.unique(collection.groups, return_inverse=True)
    drawn = np.random.default_rng(seed).integers(0, len(names), images * len(names) // len(truth))
    # Each draw of a group is a witness of its own, however often the group is drawn.
    lots = [np.flatnonzero(group == index) for index in drawn]
    chosen = np.concatenate(lots)
    witness = [str(number) for number, lot in enumerate(lots) for _ in lot]
    warmth = fit_temperature(logits[chosen], truth[chosen])
    probabilities = _softmax(logits / warmth)
    threshold = find_threshold(probabilities[chosen], truth[chosen], _PROMISE, witness)
    answered = probabilities.max(axis=1) >= threshold
    right = probabilities.argmax(axis=1) == truth
    return threshold < NEVER, bool(answered.any()) and right[answered].mean() < _PROMISE, float(answered.mean())


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
