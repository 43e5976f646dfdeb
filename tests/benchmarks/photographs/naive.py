"""What a random split over files claims beside the honest figure, and test images that nearly agree with training."""

from collections import Counter
from hashlib import sha256

import numpy as np

from configs.schema import Dataset
from tasks.domain.datasets.leakage import find_split_neighbours
from tasks.domain.datasets.splits import Shares, Split, assign_splits
from tasks.modeling.head.cross_fitting import FitOptions
from tasks.modeling.head.random_split import DistinctImages, measure_random_split
from tests.benchmarks.photographs.collection import Collection

_CUTS = ("mixed8", "mixed9", "mixed10")
_SPLITS = 5


def print_naive(monkeys: Collection, dogs: Collection) -> None:
    """Print both accuracies for each cut, and how many test images nearly agree with one to learn from."""
    print("Heads as a run trains them, five folds, three seeds; the interval is over near-duplicate groups\n")
    print(
        "| photographs | cut | files | claimed by a random split over files | honest: groups kept whole | less by "
        "(95% interval) | test files whose bytes are in training | with a copy or look-alike there |\n"
        "|---|---|---:|---:|---:|---|---:|---:|"
    )
    for collection in (monkeys, dogs):
        for cut in _CUTS:
            print(_claim(collection, cut))
    print(
        f"\nTest images named as nearly the same as a training image, in {_SPLITS} splits (seeds 0 to {_SPLITS - 1}):\n"
    )
    print("| photographs | cut | named in each split | of test images |\n|---|---|---|---|")
    for collection in (monkeys, dogs):
        for cut in _CUTS:
            print(_close(collection, cut))


def _claim(collection: Collection, cut: str) -> str:
    copies = _copies(collection)
    images = DistinctImages(collection.features[cut], collection.labels, collection.groups, copies)
    split = measure_random_split(images, FitOptions())
    if split is None:
        raise TypeError("photographs of two classes can be split")
    return (
        f"| {collection.name} | {cut} | {split.files:,} | {split.claimed:.3f} | {split.honest:.3f} | "
        f"{split.claimed - split.honest:.3f} ({split.low:.3f} to {split.high:.3f}) | {split.same_bytes:.1%} | "
        f"{split.alike:.1%} |"
    )


def _copies(collection: Collection) -> list[int]:
    """Count the files that hold each image."""
    lying = collection.files[0].parent.parent.glob("*/*")
    held = Counter(sha256(path.read_bytes()).hexdigest() for path in lying)
    return [held[image] for image in collection.images]


def _close(collection: Collection, cut: str) -> str:
    shares = Shares(Dataset().test_percent, Dataset().validation_percent)
    groups, features = np.array(collection.groups), collection.features[cut]
    counts: list[tuple[int, int]] = []
    for seed in range(_SPLITS):
        salted = {image: f"{group} {seed}" for image, group in zip(collection.images, groups, strict=True)}
        dealt = assign_splits(salted, {}, shares, dict(zip(collection.images, collection.labels, strict=True)))
        tested = np.array([dealt[image].split is Split.TEST for image in collection.images])
        neighbours = find_split_neighbours(features[tested], features[~tested], groups[~tested].tolist())
        counts.append((len(neighbours), int(tested.sum())))
    named, tests = ([str(count[part]) for count in counts] for part in (0, 1))
    return f"| {collection.name} | {cut} | {', '.join(named)} | {', '.join(tests)} |"
