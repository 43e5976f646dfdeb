"""The record of a model: all that it was made from, so that it can be made again."""

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

# Where a model is kept and what it is judged by do not change it; aliases tell a former head's classes apart.
_TRAINING_SECTIONS = {"labels", "images", "backbone", "training", "fine_tuning"}
# MLflow takes no more characters for a parameter; only a table of aliases can be so long.
_LONGEST = 6000
Verdict = Literal["identical", "equal", "different"]
# In the order in which they are likely to be the cause.
_CAUSES = {
    "git_commit": "another commit of the code",
    "git_dirty": "code that was changed after its commit",
    "lock": "another lock file",
    "tensorflow": "another version of TensorFlow",
    "keras": "another version of Keras",
    "numpy": "another version of NumPy",
    "scipy": "another version of SciPy",
    "pillow": "another version of Pillow",
    "python": "another version of Python",
    "threads": "another number of threads",
    "onednn": "other oneDNN kernels",
    "cpu": "another processor",
    "instructions": "a processor with other instructions",
    "cores": "another number of cores",
    "system": "another operating system",
}


@dataclass(frozen=True, slots=True)
class Record:
    """A dataset version, settings, features and code, with the machine that did it, and the head that came out.

    ``features`` are those that training began with, ``made`` those that the head takes: others after fine-tuning.
    """

    dataset: str
    settings: Mapping[str, Any]
    features: FeatureSet
    made: FeatureSet
    head: str
    code: Mapping[str, str]
    machine: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Turn the record into what JSON can hold."""
        return asdict(self)


def trained_by_epochs(record: Record) -> bool:
    """Tell whether the head was trained by Adam in epochs, as all were before heads were fitted to their optimum."""
    return "epochs" in record.settings["training"]


def training_settings(settings: Settings) -> dict[str, Any]:
    """Keep the settings that decide what comes out of training."""
    return settings.model_dump(mode="json", include=_TRAINING_SECTIONS, exclude={"fine_tuning": {"trial"}})


def record_from_dict(fields: Mapping[str, Any]) -> Record:
    """Read what ``Record.plain`` wrote; raises KeyError or TypeError for anything else."""
    return Record(**{**fields, "features": FeatureSet(**fields["features"]), "made": FeatureSet(**fields["made"])})


def hash_settings(settings: Settings) -> str:
    """Hash the settings that decide the model and its judgement: 64 hex digits."""
    sections = settings.model_dump(
        mode="json", include={"images", "backbone", "training", "fine_tuning", "evaluation", "gate"}
    )
    # The check came when stores had recipes already: as it is by itself, it leaves them what they were.
    if settings.gate.serve_check:
        del sections["gate"]["serve_check"]
    # So did what only one of the policies asks for.
    if settings.gate.needs != "likely-improvement":
        del sections["gate"]["more_data"]
    # A trial decides nothing.
    del sections["fine_tuning"]["trial"]
    return sha256_of(sections)


def flatten_settings(settings: Settings) -> dict[str, str]:
    """Write the settings flat, as ``training.seed``, the way two runs are compared."""
    sections = settings.model_dump(mode="json")
    return {
        f"{name}.{key}": shorten(str(value), _LONGEST)
        for name, section in sections.items()
        for key, value in section.items()
    }


@dataclass(frozen=True, slots=True)
class LoadedRecord:
    """The model that a person means, by the decision about it, and the record of what it was made from."""

    decision: int
    model_version: str
    run_id: str
    record: Record

    def __str__(self) -> str:
        """Name the model and what it was made from."""
        head, dataset = self.record.head[:12], self.record.dataset[:12]
        return f"model version {self.model_version} of decision {self.decision}: head {head} on dataset {dataset}"


@dataclass(frozen=True, slots=True)
class VerifiedImages:
    """How many images the version has, and in one sentence which of them are lost; empty when none is."""

    images: int
    lost: str

    def __str__(self) -> str:
        """Say whether all are there."""
        return self.lost or f"{count(self.images, 'image')}, every byte as it was"


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that is not as it was when the model was made."""

    what: str
    then: str
    now: str

    def __str__(self) -> str:
        """Say it in words."""
        return f"{_CAUSES[self.what]} ({self.then}, now {self.now})"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two models' probabilities for the same images: how many images get the same class, and the widest gap."""

    images: int
    same: int
    widest: float

    def __str__(self) -> str:
        """Say it in words."""
        same = f"same predictions on {self.same:,} of {count(self.images, 'test image')}"
        return f"{same}, probabilities at most {self.widest:.1g} apart"


@dataclass(frozen=True, slots=True)
class RefittedHead:
    """The head that came out when it was trained again, and how it agrees with the one that was kept.

    ``embedded`` counts the features that were computed again from pixels, ``unequal`` those with other bits.
    """

    head: str
    agreement: Agreement
    embedded: int
    unequal: int

    def __str__(self) -> str:
        """Name the head and say how far its features were computed again."""
        text = f"head {self.head[:12]}, {self.agreement}"
        if not self.embedded:
            return f"{text}, from stored features"
        return f"{text}; of {self.embedded:,} features from pixels {self.unequal:,} have other bits"


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What became of making a model again: the verdict, its reason in one sentence, and the evidence."""

    verdict: Verdict
    reason: str
    model_version: str
    dataset: str
    images: int
    head: str
    refitted: RefittedHead | None
    differences: tuple[Difference, ...]

    def __str__(self) -> str:
        """Say the verdict and its reason."""
        return f"{self.verdict}: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Turn it into what JSON can hold."""
        return asdict(self)


def find_differences(recorded: Mapping[str, str], current: Mapping[str, str]) -> tuple[Difference, ...]:
    """Name the facts about code and machine that changed, the likeliest cause of other weights first."""
    return tuple(
        Difference(name, recorded.get(name, "not recorded"), current.get(name, "unknown"))
        for name in _CAUSES
        if recorded.get(name) != current.get(name)
    )


def measure_agreement(recorded: NDArray[np.float32], refitted: NDArray[np.float32]) -> Agreement:
    """Compare probabilities of shape (images, classes) of two models, of the same classes in the same order."""
    same = recorded.argmax(axis=1) == refitted.argmax(axis=1)
    return Agreement(len(recorded), int(same.sum()), float(np.abs(recorded - refitted).max(initial=0)))


def decide_verdict(recorded_head: str, refit: RefittedHead, changed: tuple[Difference, ...]) -> tuple[Verdict, str]:
    """Choose between identical, equal and different, and say why in one sentence."""
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
