"""Drifting: a sample of each day's pictures is compared with the labelled images of the model that serves."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from threading import Event, Lock, Thread, get_native_id

import numpy as np
from numpy.typing import NDArray

from configs.schema import Dataset
from configs.servers import Serve
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.serving.drift import Comparison, Kind, compare_samples, find_drift
from tasks.domain.serving.drift_report import PictureFigures, describe_drift, describe_need, summarize_pictures
from tasks.domain.serving.live_pictures import LiveImage, LiveSample, one_of_each_group, to_columns
from tasks.domain.serving.look_space import Looks, LookSpace, cross_fit_looks, fit_look_space
from tasks.service.explaining import Explainer
from tasks.service.models.knowledge import Knowledge
from tasks.service.models.served_model import Observation, ServedModel

# The most pictures of a day that are kept, and of labelled ones that they are compared with: time grows by the square.
_MOST, _MOST_LABELLED = 500, 2000
# Seconds between two looks whether a day is over, and how much later than answers this work gets a core.
_PAUSE, _NICE = 60.0, 10
_BITS = Dataset().near_duplicate_bits


@dataclass(frozen=True)
class DayReport:
    """What a day's pictures showed beside the labelled images.

    Attributes:
        day: The day, such as 2026-11-28.
        model: The registered name of the model that answered.
        version: Its version.
        compared: Whether there was a day before, without which nothing drifts.
        kinds: In what they and those of the day before differ beyond chance.
        p_values: How likely the day's pictures differ as much by chance, for each kind.
        reference: What the test images have in common.
        live: What the day's pictures have in common.
        sentences: What changed, in words.
        collect: Which photographs must be labelled before training again can help; empty where nothing drifted.
    """

    day: str
    model: str
    version: str
    compared: bool
    kinds: tuple[Kind, ...]
    p_values: dict[Kind, float]
    reference: PictureFigures
    live: PictureFigures
    sentences: tuple[str, ...]
    collect: str


@dataclass(frozen=True)
class _Labelled:
    """The labelled images of a model, and the space in which looks are compared."""

    key: tuple[str, str, str]
    space: LookSpace
    looks: Looks
    figures: PictureFigures

    def compare(self, images: list[LiveImage], seed: int, toward: list[LiveImage] | None = None) -> Comparison:
        """Return how likely pictures differ as much by chance, in mixture and in look, or toward another day's look."""
        return compare_samples(self.looks, self._look(images), seed, self._look(toward) if toward else None)

    def _look(self, images: list[LiveImage]) -> Looks:
        return self.space.look(np.stack([image.features for image in images]))


@dataclass
class DriftWatch:
    """Keeps a sample of the pictures of a day, and compares it with labelled images once the day is over.

    Attributes:
        explainer: Holds the labelled images of the model that serves.
        settings: How many pictures make a day.
        salt: A secret, so that nobody can make a picture that is kept.
        today: Returns the present day, such as 2026-11-28.
        tell: Is told each day's report.
        log: Writes a sentence for whoever runs the service.
    """

    explainer: Explainer
    settings: Serve
    salt: bytes
    today: Callable[[], str]
    tell: Callable[[DayReport], None]
    log: Callable[[str], None]
    _model: ServedModel | None = field(default=None, init=False)
    _labelled: _Labelled | None = field(default=None, init=False)
    _before: list[LiveImage] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        """Begin the present day without a picture."""
        self._lock, self._ended = Lock(), Event()
        self._day, self._pictures = self.today(), LiveSample(_MOST, self.salt)
        self._thread = Thread(target=self._follow, name="drift", daemon=True)

    def start(self) -> None:
        """Look from now on whether a day is over, in a thread."""
        if self.settings.drift_pictures and self.settings.why_images:
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()

    def observe(self, observation: Observation) -> None:
        """Keep what is known of a photograph, if chance wants it; only then it is measured."""
        if not self.settings.drift_pictures:
            return
        with self._lock:
            self._take_model(observation.model)
            sampled = self._pictures.wants(observation.image)
        if sampled:
            measured = _measure(observation)
            with self._lock:
                self._pictures.add(observation.image, measured)

    def _model_key(self) -> tuple[str, str, str] | None:
        return self._model.identity.key if self._model else None

    def _take_model(self, model: ServedModel) -> None:
        """Begin anew with another model: its pictures and the former one's cannot be compared."""
        if self._model_key() != model.identity.key:
            self._pictures, self._before = LiveSample(_MOST, self.salt), []
        self._model = model

    def _follow(self) -> None:
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICE)
        while not self._ended.wait(_PAUSE):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - whatever fails here, answers and later days go on
                self.log(f"A day's photographs were not compared with labelled ones: {type(error).__name__}: {error}")

    def look(self) -> None:
        """Compare the pictures of a day that is over; a day of few pictures goes on with the next one."""
        day = self.today()
        with self._lock:
            model, former = self._model, self._day
            knowledge = self.explainer.known(model) if model else None
            if day == former or model is None or knowledge is None:
                return
            self._day = day
            images = one_of_each_group(self._pictures.images(), _BITS)
            if len(images) < self.settings.drift_pictures:
                return
            self._pictures = LiveSample(_MOST, self.salt)
        self.tell(self._compare(former, model, knowledge, images))

    def _compare(self, day: str, model: ServedModel, knowledge: Knowledge, images: list[LiveImage]) -> DayReport:
        if self._labelled is None or self._labelled.key != knowledge.key:
            self._labelled = _look_at_labelled(model, knowledge, self.salt)
        # Another model may begin meanwhile, which takes the day before away from the attribute.
        labelled, seed, before = self._labelled, int(day.replace("-", "")), self._before
        alone, kinds = labelled.compare(images, seed), tuple[Kind, ...]()
        if before:
            # Who sends the same picture on both days has still sent one.
            together = one_of_each_group([*before, *images], _BITS)
            earlier = {id(image) for image in before}
            pair = [[image for image in together if (id(image) in earlier) == first] for first in (True, False)]
            if all(pair):
                days = [labelled.compare(pictures, seed, other) for pictures, other in (pair, pair[::-1])]
                kinds = find_drift(labelled.compare(together, seed), days)
        with self._lock:
            # The pictures of a model that has begun meanwhile cannot be compared with these.
            self._before = images if self._model_key() == model.identity.key else []
        live = summarize_pictures(model.head.classes, to_columns(images))
        return DayReport(
            day,
            model.identity.name,
            model.identity.version,
            bool(before),
            kinds,
            dict(alone.p_values),
            labelled.figures,
            live,
            describe_drift(kinds, labelled.figures, live),
            describe_need(kinds, labelled.figures, live),
        )


def _measure(observation: Observation) -> LiveImage:
    from PIL import Image

    from tasks.domain.images.image_info import measure_image
    from tasks.domain.images.near_duplicates import perceptual_hash

    picture = Image.fromarray(observation.square)
    properties = measure_image(picture)
    return LiveImage(
        phash=perceptual_hash(picture),
        features=observation.features,
        probabilities=np.array(list((observation.prediction.probabilities or {}).values())),
        sure=observation.prediction.sure,
        unusual=np.nan if observation.unusual is None else observation.unusual,
        brightness=properties.brightness,
        tone=properties.tone,
    )


def _look_at_labelled(model: ServedModel, knowledge: Knowledge, salt: bytes) -> _Labelled:
    """Fit the space of looks to the training images, and put test and training images into it, one of each group."""
    classes = model.head.classes
    numbers = {label: number for number, label in enumerate(classes)}
    training = _TrainingColumns.of(knowledge, numbers)
    test = _sample_test(knowledge, numbers, salt)
    space = fit_look_space(training.features, training.truth)
    looks = space.look(np.stack([image.features for image in test]))
    if len(training.first) > 1:
        # Test images come before: they are looked at by the very space that live pictures are.
        few = np.random.default_rng(0).permutation(training.first)[: max(0, _MOST_LABELLED - len(test))]
        looks = looks.join(cross_fit_looks(training.features, training.truth, training.groups, few))
    return _Labelled(knowledge.key, space, looks, summarize_pictures(classes, to_columns(test)))


@dataclass(frozen=True)
class _TrainingColumns:
    """Training images of the model's classes: their features, the number of each one's class, and of its group."""

    features: NDArray[np.float32]
    truth: NDArray[np.intp]
    groups: NDArray[np.intp]

    @classmethod
    def of(cls, knowledge: Knowledge, numbers: Mapping[str, int]) -> "_TrainingColumns":
        training = knowledge.training
        rows = np.array([row for row, label in enumerate(training.labels) if label in numbers], np.intp)
        truth = np.array([numbers[training.labels[row]] for row in rows], np.intp)
        return cls(training.features[rows], truth, np.unique(knowledge.groups[rows], return_inverse=True)[1])

    @cached_property
    def first(self) -> NDArray[np.intp]:
        """Return one row of each group."""
        return np.unique(self.groups, return_index=True)[1]


def _sample_test(knowledge: Knowledge, numbers: Mapping[str, int], salt: bytes) -> list[LiveImage]:
    """Return test images of the model's classes, one of each group, and no more than can be compared."""
    sample = LiveSample(_MOST_LABELLED, salt)
    for image in knowledge.test:
        if image.label in numbers:
            sample.add(sha256_of_bytes(image.features.tobytes()), image)
    return one_of_each_group(sample.images(), _BITS)
