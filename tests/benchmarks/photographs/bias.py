"""Bias that is planted class by class: what the data card says before training, what the gate says after."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from configs.schema import Dataset
from configs.sections import Gate, Images
from tasks.domain.datasets.attribute_balance import find_narrow_ranges
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Shares, Split, assign_splits
from tasks.domain.datasets.version_diff import measure_drift
from tasks.domain.evaluation.comparison import EvaluationSet
from tasks.domain.evaluation.data_growth import VersionFeatures, compare_training_data, cross_validate
from tasks.domain.evaluation.metrics import Measurement, measure_models
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.gate.gate import GateInputs, Verdict, apply_gate_rules
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.preprocessing import limits_from_settings
from tasks.domain.labels.labeling import image_attributes
from tasks.domain.significance import wilson_share
from tasks.modeling.head.cross_fitting import FitOptions, FoldedImages, assign_folds, build_sample, cross_fit, softmax
from tasks.modeling.head.head import fit_scaler
from tasks.modeling.head.softmax_regression import compute_logits, fit_softmax
from tests.benchmarks.photographs.collection import Collection
from tests.images import validate_image

CUT = "mixed9"
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Plant:
    """One way to photograph a class: a measure, and between which percentiles of the class all photographs lie."""

    name: str
    measure: Callable[[ImageInfo], float]
    low: float
    high: float


PLANTS = (
    Plant("the brightest third withheld", lambda info: info.properties.brightness, 0, 67),
    Plant("the middle half of its tones alone", lambda info: info.properties.tone, 25, 75),
    Plant(
        "the lightest third of backgrounds alone",
        lambda info: 4 * info.properties.brightness - info.properties.tone,
        67,
        100,
    ),
)


@dataclass(frozen=True)
class Photographs:
    """A collection with what a run learns of it: rows by split, measures, and heads for any of its images."""

    collection: Collection

    @cached_property
    def rows(self) -> list[Row]:
        """Give each image its split, as a run with default settings does."""
        chosen = Shares(Dataset().test_percent, Dataset().validation_percent)
        images, labels = self.collection.images, self.collection.labels
        groups = dict(zip(images, self.collection.groups, strict=True))
        splits = assign_splits(groups, {}, chosen, dict(zip(images, labels, strict=True)))
        return [Row(image, label, splits[image].split, (), image) for image, label in zip(images, labels, strict=True)]

    @cached_property
    def examined(self) -> dict[str, ImageInfo]:
        """Measure each photograph as a run does."""
        results = (validate_image(path.read_bytes(), limits_from_settings(Images())) for path in self.collection.files)
        return {info.image: info for info in results if isinstance(info, ImageInfo)}

    @cached_property
    def tested(self) -> Mask:
        """Tell which images are for testing."""
        return np.array([row.split is Split.TEST for row in self.rows])

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """Return features of shape (n_images, width)."""
        return self.collection.features[CUT]

    @cached_property
    def strength(self) -> float:
        """Choose the weight decay once, on the training images of the whole collection."""
        chosen = ~self.tested
        truth = self.collection.truth[chosen]
        groups = [group for group, chosen_ in zip(self.collection.groups, chosen, strict=True) if chosen_]
        scaled = fit_scaler(self.features[chosen]).transform(self.features[chosen])
        return cross_fit(FoldedImages(scaled, truth, assign_folds(truth, groups, 0)), FitOptions()).strength

    def answers(self, mask: Mask) -> NDArray[np.float32]:
        """Fit a head to the training images among those that are there, and ask it about all: (n_images, n_classes)."""
        learned = mask & ~self.tested
        scaling = fit_scaler(self.features[learned])
        start = np.zeros((self.features.shape[1] + 1, len(self.collection.classes)))
        fitted = build_sample(scaling.transform(self.features[learned]), self.collection.truth[learned], FitOptions())
        theta = fit_softmax(fitted, self.strength, 0.0, start)
        return softmax(compute_logits(scaling.transform(self.features), theta)).astype(np.float32)

    def measured(
        self, mask: Mask, challenger: NDArray[np.float32], champion: NDArray[np.float32] | None
    ) -> Measurement:
        """Measure one model, beside another or alone, on the test images that are there."""
        places = np.flatnonzero(mask & self.tested)
        evaluation_set = EvaluationSet(
            [self.rows[i].label for i in places],
            [self.collection.groups[i] for i in places],
            [image_attributes(self.examined[self.rows[i].image]) for i in places],
        )
        predictions = [
            None if probabilities is None else Predictions(self.collection.classes, probabilities[places])
            for probabilities in (challenger, champion)
        ]
        if predictions[0] is None:
            raise TypeError("the challenger always answers")
        return measure_models(predictions[0], predictions[1], evaluation_set, Gate().minimum_support)

    def labelled(self, mask: Mask) -> VersionFeatures:
        """Gather what cross-validation takes."""
        places = np.flatnonzero(mask).tolist()
        rows = [self.rows[i] for i in places]
        groups = [self.collection.groups[i] for i in places]
        return VersionFeatures([row.image for row in rows], self.features[mask], [row.label for row in rows], groups)


@dataclass(frozen=True)
class Story:
    """One planted bias and two runs: before the withheld photographs land, and after.

    Attributes:
        label: The class.
        card: What the data card says of it before the first training; empty where it says nothing.
        others: How many other classes the card names.
        unseen: Test images among the withheld photographs: how many, and how many each run's model recognises.
        first: What the first run's gate sees of the class: its recall on the test images that are there.
        second: What the second run's gate says.
        harmless: What it says where it needs no harm alone.
    """

    label: str
    card: str
    others: int
    unseen: tuple[int, int, int]
    first: float
    second: Verdict
    harmless: Verdict


def planted(photographs: Photographs, plant: Plant, label: str, full: NDArray[np.float32]) -> Story:
    """Withhold photographs of one class in the first run, and let them land in the second."""
    of_class = np.array([row.label == label for row in photographs.rows])
    values = np.array([plant.measure(photographs.examined[row.image]) for row in photographs.rows])
    low, high = np.percentile(values[of_class], [plant.low, plant.high])
    mask = ~of_class | ((values >= low) & (values <= high))
    rows = [row for row, included in zip(photographs.rows, mask, strict=True) if included]
    narrow = find_narrow_ranges(rows, photographs.examined)
    biased = photographs.answers(mask)
    first = photographs.measured(mask, biased, None)
    everything = np.ones(len(mask), bool)
    facts = _facts(photographs, mask, photographs.measured(everything, full, biased))
    unseen, truth = ~mask & photographs.tested, photographs.collection.truth
    before, after = (
        int((probabilities[unseen].argmax(axis=1) == truth[unseen]).sum()) for probabilities in (biased, full)
    )
    return Story(
        label,
        next((str(probabilities) for probabilities in narrow if probabilities.label == label), ""),
        sum(probabilities.label != label for probabilities in narrow),
        (int(unseen.sum()), before, after),
        next(probabilities.recall or 0.0 for probabilities in first.figures.classes if probabilities.label == label),
        apply_gate_rules(facts, Gate(serve_check=False)),
        apply_gate_rules(facts, Gate(serve_check=False, needs="no-harm")),
    )


def print_bias(monkeys: Collection, _dogs: Collection) -> None:
    """Plant each bias in each class of the monkeys in turn, and print what is said; photo-trained Inception."""
    photographs = Photographs(monkeys)
    full = photographs.answers(np.ones(len(monkeys.images), bool))
    clean = find_narrow_ranges(photographs.rows, photographs.examined)
    print(f"{monkeys.name}, {CUT}, splits of a run; nothing planted: the card names {len(clean)} of its classes\n")
    stories = {plant.name: [planted(photographs, plant, label, full) for label in monkeys.classes] for plant in PLANTS}
    print(
        "| planted in each class in turn | card names the class before training | other classes that it names | "
        "recall that the first gate sees | recall of the withheld test images then | after they landed | "
        "second gate promotes by default | where it needs no harm alone |\n|---|---|---|---|---|---|---|---|"
    )
    for name, of_plant in stories.items():
        print(_row(name, of_plant))
    for name, of_plant in stories.items():
        print(f"\n{name}, in detail:")
        for line in _details(of_plant):
            print(f"- {line}")


def _facts(photographs: Photographs, mask: Mask, measured: Measurement) -> GateInputs:
    """Gather what the gate knows of a challenger that learned from all photographs, beside a champion of some."""
    rows, former = photographs.rows, [row for row, included in zip(photographs.rows, mask, strict=True) if included]
    every = np.ones(len(mask), bool)
    more = replace(
        compare_training_data(rows, former, "same"),
        cross_validated=cross_validate(photographs.labelled(every), photographs.labelled(mask)),
    )
    return GateInputs(measured, None, measure_drift(rows, former, (), 0), None, more)


def _row(name: str, stories: list[Story]) -> str:
    images, before, after = (sum(story.unseen[part] for story in stories) for part in range(3))
    first = np.mean([story.first for story in stories])
    return (
        f"| {name} | {sum(bool(story.card) for story in stories)} of {len(stories)} | "
        f"{sum(story.others for story in stories)} | "
        f"{first:.2f} | {_share(before, images)} | {_share(after, images)} | "
        f"{sum(story.second.promoted for story in stories)} of {len(stories)} | "
        f"{sum(story.harmless.promoted for story in stories)} of {len(stories)} |"
    )


def _share(hits: int, images: int) -> str:
    low, high = wilson_share(hits / images, images)
    return f"{hits / images:.2f} ({low:.2f} to {high:.2f}) of {images}"


def _details(stories: list[Story]) -> Iterator[str]:
    for story in stories:
        images, before, after = story.unseen
        yield (
            f"{story.card or f'{story.label}: the card says nothing'}; gate: recall {story.first:.2f}, "
            f"while of {images} withheld test images {before} are recognised; once they landed {after}: {story.second}"
        )
