"""The head against scikit-learn's tuned logistic regression, on the same features and splits, in turns."""

import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from configs.schema import Training
from tasks.domain.training.calibration import calibration_error
from tasks.modeling.head.head import fit_scaler
from tasks.modeling.head.training import Examples, build_fit_options, calibrate, train_head
from tests.benchmarks.photographs.collection import Collection

SPLITS, TEST = 20, 0.2
CUTS = ("mixed10", "mixed9", "mixed5")
_GRID = np.logspace(-4, 4, 10)

Probabilities = NDArray[np.float32]


class Images(NamedTuple):
    """Features of shape (n_images, width), the index of each image's class, and its near-duplicate group."""

    features: NDArray[np.float32]
    truth: NDArray[np.int64]
    groups: NDArray[np.str_]


def print_heads(monkeys: Collection, dogs: Collection) -> None:
    """Print accuracy, log loss, calibration error and CPU seconds of both over 20 splits, and their differences."""
    sets = {
        f"{collection.name}, {cut}": Images(collection.features[cut], collection.truth, np.array(collection.groups))
        for collection in (monkeys, dogs)
        for cut in CUTS
    }
    print(
        f"{SPLITS} splits of {TEST:.0%} test images by near-duplicate groups, seeds 0 to {SPLITS - 1}. Differences are"
    )
    print("ours less LogisticRegressionCV's (standardised, ten C from 1e-4 to 1e4, five folds, log loss), with the 95%")
    print(
        "interval of their mean (Nadeau and Bengio's correction for splits that overlap); CPU seconds in one thread.\n"
    )
    print("| features | accuracy | difference | log loss | difference | ECE | its | CPU s | its |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, images in {**sets, "drawn, close": drawn(0.11), "drawn, apart": drawn(0.2)}.items():
        print(row(name, images), flush=True)


def row(name: str, images: Images) -> str:
    """Measure both on each split, in turns, and write one line of the table."""
    with threadpool_limits(1):
        figures = np.array([_measured(images, seed) for seed in range(SPLITS)])
    mean = figures.mean(axis=0)
    apart = figures[:, 0] - figures[:, 1]
    widths = 1.96 * apart.std(axis=0, ddof=1) * np.sqrt(1 / SPLITS + TEST / (1 - TEST))
    gaps = [f"{gap:+.4f} ± {width:.4f}" for gap, width in zip(apart.mean(axis=0), widths, strict=True)]
    return (
        f"| {name} | {mean[0, 0]:.3f} | {gaps[0]} | {mean[0, 1]:.3f} | {gaps[1]} | {mean[0, 2]:.3f} | {mean[1, 2]:.3f}"
        f" | {mean[0, 3]:.1f} | {mean[1, 3]:.1f} |"
    )


def drawn(apart: float, classes: int = 20, per_class: int = 60, width: int = 512) -> Images:
    """Draw features around one middle a class, of which neighbours share a covariance that is no ball."""
    chance = np.random.default_rng(0)
    truth = np.repeat(np.arange(classes), per_class)
    mixing = chance.normal(size=(width, width)) / np.sqrt(width)
    middles = chance.normal(scale=apart, size=(classes, width))
    features = middles[truth] + chance.normal(size=(len(truth), width)) @ mixing
    return Images(features.astype(np.float32), truth, np.array([f"{index}" for index in range(len(truth))]))


def _measured(images: Images, seed: int) -> list[list[float]]:
    test = _test(images, seed)
    heads = (_softmax, _scikit_learn) if seed % 2 else (_scikit_learn, _softmax)
    figures = {head: _figures(head, images, test) for head in heads}
    return [figures[_softmax], figures[_scikit_learn]]


def _test(images: Images, seed: int) -> NDArray[np.bool_]:
    """Choose the same share of each class's groups."""
    groups, first = np.unique(images.groups, return_index=True)
    chance, chosen = np.random.default_rng(seed), list[str]()
    for label in range(images.truth.max() + 1):
        of_class = groups[images.truth[first] == label]
        chosen.extend(chance.permutation(of_class)[: round(TEST * len(of_class))])
    return np.isin(images.groups, chosen)


def _figures(
    head: Callable[[Images, NDArray[np.float32]], Probabilities], images: Images, test: NDArray[np.bool_]
) -> list[float]:
    started = time.process_time()
    probabilities = head(
        Images(images.features[~test], images.truth[~test], images.groups[~test]), images.features[test]
    )
    used, truth = time.process_time() - started, images.truth[test]
    picked = np.maximum(probabilities[np.arange(len(truth)), truth], np.finfo(np.float32).tiny)
    right = float((probabilities.argmax(axis=1) == truth).mean())
    return [right, float(-np.log(picked).mean()), calibration_error(probabilities, truth), used]


def _softmax(images: Images, queries: NDArray[np.float32]) -> Probabilities:
    settings, classes = Training(), [f"{label:03}" for label in range(images.truth.max() + 1)]
    examples = Examples(images.features, images.truth.tolist(), images.groups.tolist(), len(images.truth))
    head, held = train_head(classes, examples, build_fit_options(settings))
    return calibrate(head, held, settings.sure_precision)[0].probabilities(queries)


def _scikit_learn(images: Images, queries: NDArray[np.float32]) -> Probabilities:
    from sklearn.linear_model import LogisticRegressionCV

    scaling = fit_scaler(images.features)
    with warnings.catch_warnings():
        # Of parameters that are about to change their defaults, and of a grid whose last fits do not converge.
        warnings.simplefilter("ignore")
        head = LogisticRegressionCV(Cs=_GRID, cv=5, scoring="neg_log_loss", max_iter=300)
        head.fit(scaling.transform(images.features), images.truth)
    return np.asarray(head.predict_proba(scaling.transform(queries)), np.float32)
