"""Held pictures: photographs whose senders agreed to have them kept, or may still agree, in bounded memory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.near_duplicates import perceptual_hash
from tasks.domain.images.preprocessing import Limits
from tasks.domain.serving.answers import ModelIdentity
from tasks.domain.serving.inbox.consent import Consent
from tasks.domain.serving.inbox.feedback import Feedback, Verdict
from tasks.modeling.packaged_model import Prediction
from tasks.service.models.served_model import Observation, Vector


@dataclass(frozen=True, slots=True)
class HeldPicture:
    """A photograph that may be kept; the model that answered is named and not held, or it would stay in memory.

    Attributes:
        answer: The id of the answer.
        model: Which model answered.
        limits: Which image files it accepts.
        data: The bytes of the photograph.
        square: What the network saw, of shape (size, size, 3), uint8; empty once the picture is measured.
        features: What the network made of it, of shape (width,).
        prediction: What the head said.
        unusual: How unusual the photograph is, from 0 to 1; None where that is not known.
        since: When it came, in seconds since 1970.
        consented: When its sender agreed to have it kept, in seconds since 1970; None before that.
        feedback: What a person said of the answer; None where nobody did.
        image: The SHA-256 of its bytes; empty before it was measured.
        phash: Its perceptual hash, 32 bytes; empty before it was measured.
    """

    answer: str
    model: ModelIdentity
    limits: Limits
    data: bytes
    square: NDArray[np.uint8]
    features: Vector
    prediction: Prediction
    unusual: float | None
    since: float
    consented: float | None
    feedback: Feedback | None = None
    image: str = ""
    phash: bytes = b""

    @property
    def size(self) -> int:
        """Return how much memory it takes, in bytes."""
        return len(self.data) + self.square.nbytes + self.features.nbytes

    @property
    def is_contradicted(self) -> bool:
        """Return whether a person said that the answer is wrong."""
        return self.feedback is not None and self.feedback.verdict is Verdict.WRONG

    def measured(self) -> "HeldPicture":
        """Return the picture with its hashes, and without the square that they are made of."""
        if self.image:
            return self
        phash = perceptual_hash(Image.fromarray(self.square))
        return replace(self, square=_NO_SQUARE, image=sha256_of_bytes(self.data), phash=phash)


def _to_held(seen: Observation, moment: float) -> HeldPicture:
    model, consented = seen.model, moment if seen.consent is Consent.GIVEN else None
    facts = seen.square, seen.features, seen.prediction, seen.unusual
    return HeldPicture(seen.answer, model.identity, model.squares.limits, seen.data, *facts, moment, consented)


_NO_SQUARE: NDArray[np.uint8] = np.empty((0, 0, 3), np.uint8)


class HeldPictures:
    """Photographs by the ids of their answers; any number of threads may use them."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        """Begin with nothing held.

        Args:
            most: The most memory that they may take, in bytes.
            clock: Returns the seconds since 1970.
        """
        self._most, self._clock, self._lock = most, clock, Lock()
        self._pictures: dict[str, HeldPicture] = {}
        self._size = 0

    @property
    def size(self) -> int:
        """Return how much memory the pictures take, in bytes."""
        return self._size

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self._pictures)

    def __contains__(self, answer: str) -> bool:
        """Return whether the photograph of an answer is held."""
        return answer in self._pictures

    def hold(self, observation: Observation) -> int:
        """Hold a photograph; where there is no room for it, the oldest ones go, those without consent first.

        Args:
            observation: The photograph with its answer.

        Returns:
            How many pictures with consent had to go.
        """
        picture, lost = _to_held(observation, self._clock()), 0
        with self._lock:
            self._put(observation.answer, picture)
            while self._size > self._most:
                unasked = (name for name, picture in self._pictures.items() if picture.consented is None)
                name = next(unasked, None) or next(iter(self._pictures))
                lost += self._pictures[name].consented is not None
                self._take(name)
            return lost

    def agree(self, answer: str) -> bool:
        """Note that the sender of a photograph agrees to have it kept; return whether it is held."""
        return self._change(answer, lambda picture: replace(picture, consented=picture.consented or self._clock()))

    def judge(self, answer: str, feedback: Feedback) -> bool:
        """Note what a person says of an answer.

        Args:
            answer: The answer's id.
            feedback: What the person says.

        Returns:
            Whether its photograph is held.
        """
        return self._change(answer, lambda picture: replace(picture, feedback=feedback))

    def measure(self) -> list[HeldPicture]:
        """Return the pictures whose senders agreed to have them kept, with their hashes, the oldest first."""
        with self._lock:
            agreed = {name: picture for name, picture in self._pictures.items() if picture.consented is not None}
        measured = [self._measured(name, picture) for name, picture in agreed.items()]
        return [picture for picture in measured if picture]

    def _measured(self, name: str, picture: HeldPicture) -> HeldPicture | None:
        """Measure a picture without holding the lock, unless it went meanwhile."""
        measured = picture.measured()

        def add_hashes(present: HeldPicture) -> HeldPicture:
            # A judgement may have come meanwhile.
            return replace(measured, consented=present.consented, feedback=present.feedback)

        return self._pictures.get(name) if self._change(name, add_hashes) else None

    def drop(self, answers: Iterable[str]) -> int:
        """Let photographs go; return how many were held."""
        return sum(self.take(name) is not None for name in list(answers))

    def take(self, answer: str) -> HeldPicture | None:
        """Let a photograph go, and return it; None where it is not held."""
        with self._lock:
            return self._take(answer)

    def expire(self, seconds: float) -> None:
        """Let all go that came so many seconds ago, and whose senders did not agree to have them kept."""
        before = self._clock() - seconds
        with self._lock:
            pictures = list(self._pictures.items())
            for name, picture in pictures:
                if picture.consented is None and picture.since < before:
                    self._take(name)

    def _change(self, name: str, change: Callable[[HeldPicture], HeldPicture]) -> bool:
        with self._lock:
            picture = self._pictures.get(name)
            if picture:
                self._size -= picture.size
                self._pictures[name] = changed = change(picture)
                self._size += changed.size
        return picture is not None

    def _put(self, name: str, picture: HeldPicture) -> None:
        self._pictures[name] = picture
        self._size += picture.size

    def _take(self, name: str) -> HeldPicture | None:
        picture = self._pictures.pop(name, None)
        if picture:
            self._size -= picture.size
        return picture
