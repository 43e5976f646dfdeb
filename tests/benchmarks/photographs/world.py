"""What happens in a simulated year: which images arrive when, under which labels, and what challengers they make."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from zlib import crc32

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from tasks.domain.datasets.splits import Split
from tests.benchmarks.photographs.collection import Collection

Numbers = NDArray[np.float32]
Ints = NDArray[np.int64]

RUNS = 52
#: From this run on labels are wrong, or another backbone is there.
CHANGE = 13
TEST_PERCENT = 20
# Of photographs so large a share is kept away, to measure what is true; of drawn features so many are drawn for that.
_KEPT_AWAY, _FRESH = 0.4, 4000
_DIRECTIONS = 64
# Recipes by number: this year's, another backbone's, and from here on one that never comes again.
_OTHER_BACKBONE, TRIALS = 1, 100

#: What a year brings; docs/explanation/gate-error-rates.md explains each.
SCENARIOS = {
    "more data": "the images grow fourfold",
    "equal": "10% more images, and a trial of a recipe that is as good each run",
    "worse trials": "the images grow fourfold; each second run tries a recipe that learns from 60% of them",
    "better backbone": "10% more images; from run 13 on features of a better backbone",
    "drift": "the images grow fourfold, and later ones look different",
    "wrong labels": "the images grow fourfold; from run 13 on 10 to 30% of the new labels are wrong",
    "one class wrong": "the images grow fourfold; from run 13 on 80% of one class's new images are under another",
}


@dataclass(frozen=True)
class World:
    """Images with true classes: features (n_images, width) by this year's backbone and by a better one.

    Attributes:
        pool: Places of the images that may arrive.
        truth: Places of those on which true accuracy is measured.
    """

    name: str
    features: tuple[Numbers, Numbers]
    classes: Ints
    groups: tuple[str, ...]
    pool: Ints
    truth: Ints


def photographs(collection: Collection, cuts: tuple[str, str], chance: Generator) -> World:
    """Keep two fifths of the near-duplicate groups away from the year, to measure on."""
    names = np.array(collection.groups)
    away = chance.permutation(np.unique(names))
    hidden = np.isin(names, away[: int(_KEPT_AWAY * len(away))])
    features = (collection.features[cuts[0]], collection.features[cuts[1]])
    pool, truth = np.flatnonzero(~hidden), np.flatnonzero(hidden)
    return World(f"{collection.name} {cuts[0]}", features, collection.truth, collection.groups, pool, truth)


def drawn(chance: Generator, images: int = 900, classes: int = 8, width: int = 40) -> World:
    """Draw overlapping Gaussian classes; the better backbone has less noise. True accuracy is that on fresh draws."""
    truth = chance.integers(0, classes, images + _FRESH)
    centres = (chance.normal(size=(classes, width)) * 0.42)[truth]
    noise, other = chance.normal(size=(2, len(truth), width))
    features = (centres + noise).astype(np.float32), (centres + noise / 2 + other / 2).astype(np.float32)
    places = np.arange(len(truth))
    return World("drawn", features, truth, tuple(map(str, places)), places[:images], places[images:])


@dataclass
class Year:
    """One year in a world: ``arrived`` images each run under the labels that they came with, and a challenger."""

    world: World
    scenario: str
    chance: Generator
    labels: Ints = field(init=False)
    order: Ints = field(init=False)
    ends: Ints = field(init=False)

    def __post_init__(self) -> None:
        """Put the images into the order in which they arrive, some of them under wrong labels."""
        still = self.scenario in {"equal", "better backbone"}
        self.order = self._order()
        self.ends = np.linspace((0.9 if still else 0.25) * len(self.order), len(self.order), RUNS).astype(np.int64)
        self.labels = self.world.classes.copy()
        if self.scenario.endswith("wrong") or self.scenario == "wrong labels":
            self._damage()

    @cached_property
    def tested(self) -> NDArray[np.bool_]:
        """Tell which images are for testing, by their group and the year."""
        salt = int(self.order[0])
        tested = [crc32(f"{group} {salt}".encode()) % 100 < TEST_PERCENT for group in self.world.groups]
        return np.array(tested, bool)

    @cached_property
    def answers(self) -> list[Numbers]:
        """Train each run's challenger, and let it answer every image: (n_images, n_classes) a run."""
        return [self._answers(run) for run in range(RUNS)]

    @cached_property
    def true(self) -> list[float]:
        """Measure the true accuracy of each run's challenger."""
        truth, classes = self.world.truth, self.world.classes
        return [float((probabilities[truth].argmax(axis=1) == classes[truth]).mean()) for probabilities in self.answers]

    def arrived(self, run: int) -> Ints:
        """List the images that are there."""
        return self.order[: self.ends[run]]

    def split(self, image: int) -> Split:
        """Tell what an image is for."""
        return Split.TEST if self.tested[image] else Split.TRAIN

    def backbone(self, run: int) -> int:
        """Tell which of the features a challenger takes."""
        return _OTHER_BACKBONE if self.scenario == "better backbone" and run >= CHANGE else 0

    def recipe(self, run: int) -> int:
        """Tell by a number which recipe makes a challenger."""
        trial = self.scenario == "equal" or (self.scenario == "worse trials" and run % 2)
        return TRIALS + run if trial else self.backbone(run)

    @cached_property
    def reduced(self) -> tuple[Numbers, Numbers]:
        """Bring features down to the main directions of the first run's images."""
        first = self.arrived(0)

        def reduce(features: Numbers) -> Numbers:
            directions = PCA(min(_DIRECTIONS, len(first), features.shape[1]), random_state=0).fit(features[first])
            numbers = directions.transform(features)
            return np.asarray(numbers / numbers[first].std(), np.float32)

        item, other = self.world.features
        return reduce(item), reduce(other)

    def _order(self) -> Ints:
        order = self.chance.permutation(self.world.pool)
        if self.scenario != "drift":
            return order
        along = PCA(1, random_state=0).fit_transform(self.world.features[0][order])[:, 0]
        for number in np.unique(self.world.classes):
            of_class = np.flatnonzero(self.world.classes[order] == number)
            along[of_class] = along[of_class].argsort().argsort() / len(of_class)
        return order[np.argsort(along + self.chance.normal(size=len(order)) * 0.35)]

    def _damage(self) -> None:
        classes = int(self.labels.max()) + 1
        first, other = self.chance.choice(classes, 2, replace=False)
        for run in range(CHANGE, RUNS):
            new = self.order[self.ends[run - 1] : self.ends[run]]
            if self.scenario == "wrong labels":
                subset = new[self.chance.random(len(new)) < self.chance.uniform(0.1, 0.3)]
                self.labels[subset] = (self.labels[subset] + self.chance.integers(1, classes, len(subset))) % classes
            else:
                subset = new[(self.labels[new] == first) & (self.chance.random(len(new)) < 0.8)]
                self.labels[subset] = other

    def _answers(self, run: int) -> Numbers:
        features = self.reduced[self.backbone(run)]
        learned = self.arrived(run)[~self.tested[self.arrived(run)]]
        if self.recipe(run) >= TRIALS:
            share = 0.9 if self.scenario == "equal" else 0.6
            learned = self.chance.choice(learned, int(share * len(learned)), replace=False)
        head = LogisticRegression(C=0.1, max_iter=60).fit(features[learned], self.labels[learned])
        queries = np.concatenate([self.world.pool, self.world.truth])
        probabilities = np.zeros((len(features), int(self.world.classes.max()) + 1), np.float32)
        probabilities[np.ix_(queries, head.classes_)] = head.predict_proba(features[queries])
        return probabilities


def worlds(monkeys: Collection, dogs: Collection) -> tuple[Callable[[Generator], World], ...]:
    """List what makes the worlds in which years pass."""
    return (
        lambda chance: photographs(monkeys, ("mixed10", "mixed9"), chance),
        lambda chance: photographs(monkeys, ("mixed9", "mixed8"), chance),
        lambda chance: photographs(dogs, ("mixed9", "mixed8"), chance),
        drawn,
    )
