"""Labels called probably wrong: how many on clean photographs, and which of those planted."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.domain.datasets.label_issues import fit_pca
from tasks.domain.labels.confident_learning import find_label_errors
from tests.benchmarks.photographs.collection import Collection

_SEEDS = 20
_PLANTED, _FIRST = 10, 20
_BLOCK = 0.4


def print_label_issues(monkeys: Collection, dogs: Collection) -> None:
    """Print how many clean photographs are named, and how many planted errors stand among the first twenty."""
    print(
        f"{_PLANTED} photographs of one class under other labels at random, {_SEEDS} seeds, the classes in turn;\n"
        "'first twenty' counts the planted among the first twenty named (mean and 95% interval over the seeds)\n"
    )
    print("| photographs | cut | named of clean | planted, in the first twenty | others named then |")
    print("|---|---|---:|---:|---:|")
    for collection, cuts in ((monkeys, ("mixed9", "mixed10")), (dogs, ("mixed9", "mixed10"))):
        for cut in cuts:
            print(_line(collection, cut))
    print(f"\n{_BLOCK:.0%} of one class moved into the folder of another, {_SEEDS} seeds\n")
    print("| photographs | cut | found of those moved | in the first twenty | others named |")
    print("|---|---|---:|---:|---:|")
    for cut in ("mixed9", "mixed10"):
        print(_block_line(monkeys, cut))


def _line(collection: Collection, cut: str) -> str:
    features = collection.features[cut]
    reduced = np.asarray(fit_pca(features).transform(features))
    clean = len(find_label_errors(reduced, collection.truth, collection.groups).errors)
    planted = np.array([_planted(reduced, collection, seed) for seed in range(_SEEDS)])
    hits, margin = planted[:, 0].mean(), 1.96 * planted[:, 0].std(ddof=1) / np.sqrt(_SEEDS)
    return (
        f"| {collection.name} | {cut} | {clean} of {len(reduced):,} ({clean / len(reduced):.1%}) "
        f"| {hits:.1f} ± {margin:.1f} of {_PLANTED} | {planted[:, 1].mean() / (len(reduced) - _PLANTED):.1%} |"
    )


def _planted(features: NDArray[np.float32], collection: Collection, seed: int) -> tuple[int, int]:
    """Count the planted errors among the first named, and the clean photographs named at all."""
    chance = np.random.default_rng(seed)
    classes = len(collection.classes)
    chosen = chance.choice(np.flatnonzero(collection.truth == seed % classes), _PLANTED, replace=False)
    labels = collection.truth.copy()
    labels[chosen] = (labels[chosen] + chance.integers(1, classes, len(chosen))) % classes
    named = [error.index for error in find_label_errors(features, labels, collection.groups).errors]
    return _among(named[:_FIRST], chosen), len(named) - _among(named, chosen)


def _among(named: Sequence[int], chosen: NDArray[np.int64]) -> int:
    return int(np.isin(named, chosen).sum())


def _block_line(collection: Collection, cut: str) -> str:
    features = collection.features[cut]
    reduced = np.asarray(fit_pca(features).transform(features))
    rows = np.array([_block(reduced, collection, seed) for seed in range(_SEEDS)])
    (hit, first, elsewhere), widths = rows.mean(axis=0), 1.96 * rows.std(axis=0, ddof=1) / np.sqrt(_SEEDS)
    return (
        f"| {collection.name} | {cut} | {hit:.0%} ± {widths[0]:.0%} | {first:.1f} ± {widths[1]:.1f} | {elsewhere:.1%} |"
    )


def _block(features: NDArray[np.float32], collection: Collection, seed: int) -> tuple[float, int, float]:
    """Move a part of a class, and give the share found, how many come first, and the share of others named."""
    chance = np.random.default_rng(seed)
    classes, labels = len(collection.classes), collection.truth.copy()
    of_class = np.flatnonzero(collection.truth == seed % classes)
    chosen = chance.choice(of_class, int(_BLOCK * len(of_class)), replace=False)
    labels[chosen] = (seed + chance.integers(1, classes)) % classes
    named = [error.index for error in find_label_errors(features, labels, collection.groups).errors]
    hits = _among(named, chosen)
    return hits / len(chosen), _among(named[:_FIRST], chosen), (len(named) - hits) / (len(labels) - len(chosen))
