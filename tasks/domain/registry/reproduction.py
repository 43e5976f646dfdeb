"""How a model that was trained again compares with the recorded one, and what may explain a difference."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tasks.domain.evaluation.predictions import TOLERANCE
from tasks.domain.phrasing import count
from tasks.domain.registry.model_record import Record

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
