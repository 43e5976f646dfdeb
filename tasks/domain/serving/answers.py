"""Answers of the service: what is said about a photograph, by which model, and under which id."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tasks.domain.serving.problems import ServiceProblem

# Crockford's alphabet, in which the id of an answer sorts by time.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ID_LETTERS, _TIME_LETTERS, _BITS = 26, 10, 5
# The hex digits of a head's hash by which the header of an answer names it.
_SHORT = 4


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model answers.

    Attributes:
        name: The name of the registered model.
        version: Its version in the MLflow registry.
        decision: The number of the decision since which it serves.
        head: The hash of the head.
        backbone: The fingerprint of the backbone.
        dataset: The hash of the dataset version that it was trained on.
        trained: When the gate decided about it, in ISO 8601; empty where that is not known.
        run: The MLflow run in which it was trained; empty where that is not known. Answers do not name it.
    """

    name: str
    version: str
    decision: int
    head: str
    backbone: str
    dataset: str
    trained: str
    run: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what decides which bytes answer, whatever number MLflow gives them: backbone, head and dataset."""
        return self.backbone, self.head, self.dataset

    @property
    def short(self) -> str:
        """Return the version and the beginning of the head's hash, such as 4@c473."""
        return f"{self.version}@{self.head[:_SHORT]}"

    def to_dict(self) -> dict[str, Any]:
        """Return the model as JSON can hold it."""
        return {name: getattr(self, name) for name in _NAMES} | {"trained": self.trained or None}


# What the run is good for, its pages in MLflow, is not for everybody who gets an answer.
_NAMES = tuple(part.name for part in fields(ModelIdentity) if part.name != "run")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service says about one photograph.

    Attributes:
        id: The answer's id, a ULID.
        model: Which model answers.
        label: The likeliest class; None where the photograph cannot be used.
        probability: Its probability; None where there is none.
        sure: Whether the model is confident; where it is not, it says "I don't know" beside its best guess.
        probabilities: The calibrated probability of each class.
        elapsed_ms: What decoding and computing took, in milliseconds.
        problem: Why there is no label; None where there is one.
        unusual: How unusual the photograph is, from 0 to 1; None where that is not known.
        why: The training images and figures behind the answer; None where nobody asked.
    """

    id: str
    model: ModelIdentity
    label: str | None
    probability: float | None
    sure: bool
    probabilities: Mapping[str, float] | None
    elapsed_ms: float
    problem: ServiceProblem | None = None
    unusual: float | None = None
    why: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON can hold it."""
        plain = {
            "id": self.id,
            "label": self.label,
            "probability": self.probability,
            "sure": self.sure,
            "probabilities": self.probabilities,
            "unusual": self.unusual,
            "model": self.model.to_dict(),
            "elapsed_ms": round(self.elapsed_ms, 3),
        }
        plain |= {} if self.why is None else {"why": self.why}
        return plain | ({"problem": self.problem.to_dict()} if self.problem else {})


def write_id(milliseconds: int, chance: bytes) -> str:
    """Write a ULID: an id that sorts by time and that nobody guesses.

    Args:
        milliseconds: The time since 1970.
        chance: Ten random bytes.

    Returns:
        26 letters and digits.
    """
    number = (milliseconds << 80) | int.from_bytes(chance, "big")
    shifts = range(_BITS * (_ID_LETTERS - 1), -1, -_BITS)
    return "".join(_LETTERS[(number >> shift) & 31] for shift in shifts)


def read_time(name: str) -> float | None:
    """Return when an answer was given, in seconds since 1970, by its id; None where the text is no id."""
    if len(name) != _ID_LETTERS or not set(name) <= set(_LETTERS):
        return None
    number = 0
    for letter in name[:_TIME_LETTERS]:
        number = (number << _BITS) | _LETTERS.index(letter)
    return number / 1000
