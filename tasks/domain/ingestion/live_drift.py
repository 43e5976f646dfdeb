"""Drift of live photographs, as the service told: a reason to retrain with new labels, or else to ask for some."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LiveDrift:
    """What the service told last of the live photographs that its model answers.

    Attributes:
        day: The second of the two days that differ from the test images.
        version: The version of the model that answered.
        kinds: In what they differ: mixture, look.
        headline: The difference in words.
        collect: Which photographs must be labelled, as the end of a sentence.
    """

    day: str
    version: str
    kinds: tuple[str, ...]
    headline: str
    collect: str

    @property
    def clause(self) -> str:
        """Return as a clause since when they have drifted, and how."""
        return f"live photographs have drifted by {self.day}: {self.headline}"

    @property
    def request(self) -> str:
        """Return what people are asked to do about it."""
        return (
            f"L{self.clause[1:]}. Training again on the same photographs cures nothing: label {self.collect}. "
            "Where the service keeps an inbox, pedigree inbox list shows which photographs wait there."
        )

    @property
    def key(self) -> tuple[str, tuple[str, ...]]:
        """Return what makes it another piece of news, of which people are told anew."""
        return self.version, self.kinds


def parse_drift(payload: Mapping[str, Any]) -> LiveDrift:
    """Parse what the service told.

    Args:
        payload: The payload of its event.

    Returns:
        The drift; what is missing is empty.
    """
    sentences = payload.get("sentences") or [""]
    kinds = tuple(str(kind) for kind in payload.get("kinds", ()))
    day, version, collect = (str(payload.get(name, "")) for name in ("day", "version", "collect"))
    return LiveDrift(day, version, kinds, str(sentences[0]), collect)
