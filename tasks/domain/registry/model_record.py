"""Model records: everything that a model was made from, the hash of the settings, and how a reproduction compares."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from textwrap import shorten
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from configs.schema import Settings
from tasks.domain.evaluation.predictions import TOLERANCE
from tasks.domain.hashing import sha256_of
from tasks.domain.phrasing import count
from tasks.domain.training.results import FeatureSet

# The store and the gate do not change what comes out of training. Labels are among these sections for their aliases,
# which tell the classes of a former head apart.
_TRAINING_SECTIONS = {"labels", "images", "backbone", "training", "fine_tuning"}
_LONGEST = 6000  # MLflow accepts no longer parameter; only a table of aliases can be so long.
# Settings that came when stores had hashes already; with their defaults they change nothing.
_LATER = {"backbone": ("engine", "batch", "computing"), "training": ("most",), "gate": ("serve_check", "live_answers")}
Verdict = Literal["identical", "equal", "different"]
# The likeliest causes of another result first.
_CAUSES = {
    "git_commit": "another commit of the code",
    "git_dirty": "code that was changed after its commit",
    "lock": "another lock file, or other packages",
    "onnxruntime": "another version of ONNX Runtime",
    "tensorflow": "another version of TensorFlow",
    "keras": "another version of Keras",
    "numpy": "another version of NumPy",
    "scipy": "another version of SciPy",
    "pillow": "another version of Pillow",
    "python": "another version of Python",
    "threads": "another number of threads",
    "onednn": "other oneDNN kernels",
    "blas": "other kernels of the matrix product",
    "cpu": "another processor",
    "instructions": "a processor with other instructions",
    "cores": "another number of cores",
    "system": "another operating system",
}


@dataclass(frozen=True, slots=True)
class Record:
    """What a model was made from, and the head that came out.

    Attributes:
        dataset: The hash of the dataset version.
        settings: The settings that decide what comes out of training.
        features: The features that training began with.
        made: The features that the head takes, which are others after fine-tuning.
        head: The hash of the head.
        code: The commit and the lock file.
        machine: The processor, the cores, and the versions of the libraries.
    """

    dataset: str
    settings: Mapping[str, Any]
    features: FeatureSet
    made: FeatureSet
    head: str
    code: Mapping[str, str]
    machine: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the record as values that JSON can hold."""
        return asdict(self)


def trained_by_epochs(record: Record) -> bool:
    """Return whether the head was trained by Adam in epochs, as all heads once were, instead of to its optimum."""
    return "epochs" in record.settings["training"]


def training_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings that decide what comes out of training."""
    sections = settings.model_dump(mode="json", include=_TRAINING_SECTIONS, exclude={"fine_tuning": {"trial"}})
    return _with_later_settings(sections, settings)


def record_from_dict(fields: Mapping[str, Any]) -> Record:
    """Build a record from what ``Record.to_dict`` returned.

    Args:
        fields: The fields of the record.

    Returns:
        The record.

    Raises:
        KeyError: A part is missing.
        TypeError: A field is missing or unknown.
    """
    return Record(**{**fields, "features": FeatureSet(**fields["features"]), "made": FeatureSet(**fields["made"])})


def hash_settings(settings: Settings) -> str:
    """Return the hash of the settings that decide the model and its evaluation: 64 hex digits."""
    chosen = {"images", "backbone", "training", "fine_tuning", "evaluation", "gate"}
    sections = settings.model_dump(mode="json", include=chosen)
    # Only this policy uses it.
    if settings.gate.needs != "likely-improvement":
        del sections["gate"]["more_data"]
    del sections["fine_tuning"]["trial"]  # A trial decides nothing.
    return sha256_of(_with_later_settings(sections, settings))


def _with_later_settings(sections: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Leave out later settings with their defaults, since stores had hashes without them, and add another limit."""
    for section, name in ((section, name) for section, names in _LATER.items() for name in names):
        if section in sections and getattr(settings, section).is_default(name):
            del sections[section][name]
    limit = settings.scale.in_memory
    return sections if settings.scale.is_default("in_memory") else {**sections, "scale": {"in_memory": limit}}


def flatten_settings(settings: Settings) -> dict[str, str]:
    """Return the settings under flat names such as ``training.seed``, for comparing runs."""
    sections = settings.model_dump(mode="json")
    return {
        f"{name}.{key}": shorten(str(value), _LONGEST)
        for name, section in sections.items()
        for key, value in section.items()
    }


@dataclass(frozen=True, slots=True)
class LoadedRecord:
    """The record of the model that a person named, and the decision about it."""

    decision: int
    model_version: str
    run_id: str
    record: Record

    def __str__(self) -> str:
        """Describe the model and what it was made from."""
        head, dataset = self.record.head[:12], self.record.dataset[:12]
        return f"model version {self.model_version} of decision {self.decision}: head {head} on dataset {dataset}"


@dataclass(frozen=True, slots=True)
class VerifiedImages:
    """How many images a dataset version has, and in one sentence which are lost; empty where none is."""

    images: int
    lost: str

    def __str__(self) -> str:
        """Describe which images are lost, or that all are there."""
        return self.lost or f"{count(self.images, 'image')}, every byte as it was"


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact about code or machine that has changed since the model was made."""

    what: str
    then: str
    now: str

    def __str__(self) -> str:
        """Describe the change."""
        return f"{_CAUSES[self.what]} ({self.then}, now {self.now})"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two models' probabilities for the same images agree.

    Attributes:
        images: The number of images.
        same: How many are predicted as the same class.
        widest: The widest difference of a probability.
    """

    images: int
    same: int
    widest: float

    def __str__(self) -> str:
        """Describe the agreement."""
        same = f"same predictions on {self.same:,} of {count(self.images, 'test image')}"
        return f"{same}, probabilities at most {self.widest:.1g} apart"


@dataclass(frozen=True, slots=True)
class RefittedHead:
    """The head that came out when a model was trained again.

    Attributes:
        head: The hash of the head.
        agreement: How it agrees with the recorded head.
        embedded: How many features were computed again from pixels.
        unequal: How many of these have other bits than the stored ones.
    """

    head: str
    agreement: Agreement
    embedded: int
    unequal: int

    def __str__(self) -> str:
        """Describe the head, and how many features were computed again."""
        text = f"head {self.head[:12]}, {self.agreement}"
        if not self.embedded:
            return f"{text}, from stored features"
        return f"{text}; of {self.embedded:,} features from pixels {self.unequal:,} have other bits"


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The result of making a model again.

    Attributes:
        verdict: Whether the model is identical, equal within the tolerance, or different.
        reason: Why, in one sentence.
        model_version: The model version.
        dataset: The hash of its dataset version.
        images: The number of images in it.
        head: The recorded hash of the head.
        refitted: The new head; None where it could not be trained.
        differences: What changed in code and machine, the likeliest cause first.
    """

    verdict: Verdict
    reason: str
    model_version: str
    dataset: str
    images: int
    head: str
    refitted: RefittedHead | None
    differences: tuple[Difference, ...]

    def __str__(self) -> str:
        """Return the verdict with its reason."""
        return f"{self.verdict}: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Return the result as values that JSON can hold."""
        return asdict(self)


def find_differences(recorded: Mapping[str, str], current: Mapping[str, str]) -> tuple[Difference, ...]:
    """Find the facts about code and machine that changed.

    Args:
        recorded: The facts when the model was made.
        current: The facts now.

    Returns:
        The changes, the likeliest cause of other weights first.
    """
    return tuple(
        Difference(name, recorded.get(name, "not recorded"), current.get(name, "unknown"))
        for name in _CAUSES
        if recorded.get(name) != current.get(name)
    )


def measure_agreement(recorded: NDArray[np.float32], refitted: NDArray[np.float32]) -> Agreement:
    """Compare the probabilities of two models with the same classes.

    Args:
        recorded: Probabilities of the recorded model, of shape (n_images, n_classes).
        refitted: Those of the new one, in the same order.

    Returns:
        How they agree.
    """
    same = recorded.argmax(axis=1) == refitted.argmax(axis=1)
    return Agreement(len(recorded), int(same.sum()), float(np.abs(recorded - refitted).max(initial=0)))


def decide_verdict(recorded_head: str, refit: RefittedHead, changed: tuple[Difference, ...]) -> tuple[Verdict, str]:
    """Decide whether a model was reproduced.

    Args:
        recorded_head: The recorded hash of the head.
        refit: The new head.
        changed: What changed in code and machine.

    Returns:
        The verdict, and the reason in one sentence.
    """
    if refit.head == recorded_head:
        images = f"{refit.agreement.same:,} of {count(refit.agreement.images, 'test image')}"
        return "identical", f"all weights are the same bit for bit, and so are the predictions on {images}"
    agreement = refit.agreement
    cause = f"the first cause found is {changed[0]}" if changed else "nothing about code and machine is known to differ"
    if not (changed or refit.embedded):
        cause += ", and --from-pixels tells whether the stored features do"
    if refit.unequal:
        cause = f"{refit.unequal:,} of {count(refit.embedded, 'feature')} have other bits when computed again; {cause}"
    if agreement.same == agreement.images and agreement.widest <= TOLERANCE:
        return "equal", f"{agreement}, within the tolerance of {TOLERANCE:g}, but not the same bits: {cause}"
    return "different", f"{agreement}: {cause}"
