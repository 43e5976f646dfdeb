"""Drifting: a sample of each day's pictures is compared with the test images of the model that serves."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event, Lock, Thread, get_native_id

import numpy as np

from configs.schema import Dataset
from configs.servers import Serve
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.serving.drift import (
    Kind,
    LookSpace,
    PictureSample,
    compare_samples,
    find_drift,
    fit_look_space,
)
from tasks.domain.serving.drift_report import PictureFigures, describe_drift, describe_need, summarize_pictures
from tasks.domain.serving.live_pictures import LiveImage, LiveSample, one_of_each_group, to_columns
from tasks.service.explaining import Explainer
from tasks.service.models.knowledge import Knowledge
from tasks.service.models.served_model import Observation, ServedModel

# The most pictures of a day that are kept, and of test images that they are compared with: time grows by the square.
_MOST, _MOST_TEST = 500, 2000
# Seconds between two looks whether a day is over, and how much later than answers this work gets a core.
_PAUSE, _NICE = 60.0, 10
_BITS = Dataset().near_duplicate_bits


@dataclass(frozen=True)
class DayReport:
    """What a day's pictures showed beside the test images.

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
class _Reference:
    """The test images of a model, and the space in which looks are compared."""

    key: tuple[str, str, str]
    space: LookSpace
    sample: PictureSample
    figures: PictureFigures

    def compare(self, images: list[LiveImage], seed: int) -> Mapping[Kind, float]:
        """Return how likely pictures differ as much by chance, in mixture and in look."""
        return compare_samples(self.sample, _to_sample(images, self.space), seed)


@dataclass
class DriftWatch:
    """Keeps a sample of the pictures of a day, and compares it with the test images once the day is over.

    Attributes:
        explainer: Holds the test images of the model that serves.
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
    _reference: _Reference | None = field(default=None, init=False)
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
                self.log(f"A day's photographs were not compared with the test images: {type(error).__name__}: {error}")

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
        if self._reference is None or self._reference.key != knowledge.key:
            self._reference = _build_reference(model, knowledge, self.salt)
        reference, seed, compared = self._reference, int(day.replace("-", "")), bool(self._before)
        alone, kinds = reference.compare(images, seed), tuple[Kind, ...]()
        if compared:
            # Who sends the same picture on both days has still sent one.
            together = one_of_each_group([*self._before, *images], _BITS)
            kinds = find_drift(reference.compare(together, seed), [reference.compare(self._before, seed), alone])
        with self._lock:
            # Another model may have begun meanwhile, whose pictures cannot be compared with these.
            self._before = images if self._model_key() == model.identity.key else []
        live = summarize_pictures(model.head.classes, to_columns(images))
        return DayReport(
            day,
            model.identity.name,
            model.identity.version,
            compared,
            kinds,
            dict(alone),
            reference.figures,
            live,
            describe_drift(kinds, reference.figures, live),
            describe_need(kinds, reference.figures, live),
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


def _build_reference(model: ServedModel, knowledge: Knowledge, salt: bytes) -> _Reference:
    """Fit the space of looks to the training images, and put the test images into it, one of each group."""
    classes = model.head.classes
    numbers = {label: number for number, label in enumerate(classes)}
    learned = [row for row, label in enumerate(knowledge.training.labels) if label in numbers]
    truth = np.array([numbers[knowledge.training.labels[row]] for row in learned], np.intp)
    space = fit_look_space(knowledge.training.features[learned], truth, len(classes))
    test = LiveSample(_MOST_TEST, salt)
    for image in knowledge.test:
        test.add(sha256_of_bytes(image.features.tobytes()), image)
    images = one_of_each_group(test.images(), _BITS)
    return _Reference(knowledge.key, space, _to_sample(images, space), summarize_pictures(classes, to_columns(images)))


def _to_sample(images: list[LiveImage], space: LookSpace) -> PictureSample:
    probabilities = np.stack([image.probabilities for image in images])
    features = np.stack([image.features for image in images])
    return PictureSample(probabilities, space.project(features, probabilities.argmax(axis=1)))
