"""Records of the inbox: what is kept beside a picture whose sender agreed to it, and what became of the picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class InboxState(StrEnum):
    """What became of a picture in the inbox."""

    WAITING = "waiting"
    EXPORTED = "exported"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class InboxRecord:
    """What is kept beside a picture in the inbox; nothing of it is a label.

    Attributes:
        image: The SHA-256 of the picture's bytes.
        day: The day on which it came, such as 2026-11-29, in UTC.
        extension: The extension of its file, such as jpg.
        answer: The id of the answer.
        model: The model that answered, its version and the beginning of its head's hash, such as 4@c473.
        guess: The likeliest class.
        probabilities: The calibrated probability of each class.
        sure: Whether the model was confident.
        unusual: How unusual the picture is, from 0 to 1; None where that is not known.
        reasons: Why it was kept, the most telling first.
        consented: When its sender agreed to have it kept for training, in ISO 8601.
        wrong: Whether a person said that the guess is wrong.
        claimed: The class that this person named; empty where nobody did.
        phash: The perceptual hash of what the model saw, in hex digits, by which near duplicates are known.
        sent: The SHA-256 of the bytes that were sent, of which the picture is a clean copy; empty where it is none.
    """

    image: str
    day: str
    extension: str
    answer: str
    model: str
    guess: str
    probabilities: Mapping[str, float]
    sure: bool
    unusual: float | None
    reasons: tuple[str, ...]
    consented: str
    wrong: bool = False
    claimed: str = ""
    phash: str = ""
    sent: str = ""

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Build a record again from what ``asdict`` made of it, after it was JSON.

        Args:
            plain: The fields by name.

        Returns:
            The record.

        Raises:
            ValueError: The guess is none of the classes.
        """
        record = cls(**{**plain, "reasons": tuple(plain["reasons"])})
        if record.guess not in record.probabilities:
            raise ValueError(record.guess)
        return record

    def is_named(self, word: str) -> bool:
        """Return whether this is the id of the answer, or how the hash of the picture or of what was sent begins."""
        digits = word.lower()
        return word == self.answer or any(name.startswith(digits) for name in (self.image, self.sent) if digits)

    @property
    def key(self) -> str:
        """Return the key of the picture in the inbox."""
        return f"inbox/{self.day}/{self.image}.{self.extension}"

    @property
    def probability(self) -> float:
        """Return the probability of the guess."""
        return self.probabilities[self.guess]


@dataclass(frozen=True, slots=True)
class InboxPicture:
    """A picture in the inbox, as one listing shows it.

    Attributes:
        day: The day on which it came.
        image: The SHA-256 of its bytes.
        state: What became of it.
    """

    day: str
    image: str
    state: InboxState
