"""Sampling: a second network answers a share of the photographs, while nobody waits for an answer."""

import os
import random
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition, Thread, get_native_id

import numpy as np
from numpy.typing import NDArray

from tasks.domain.images.rejections import Rejection
from tasks.modeling.packaged_model import Prediction, predict_features
from tasks.service.models.served_model import Observation, ServedModel

#: Photographs that wait for an idle moment; what comes beyond them is dropped.
WAITING = 8
# All their files together are no larger than so many bytes.
_BYTES = 32 * 2**20
# Seconds between two looks whether the service is idle, while a photograph waits for that.
_PAUSE = 0.05
# The least claim on a processor that Linux knows.
_NICEST = 19


@dataclass(frozen=True, slots=True)
class Sample:
    """A photograph that waits for the second network.

    Attributes:
        image: The name by which it is recorded.
        champion: What the champion answered.
        data: Its file; empty where the second network takes the same square.
        square: That square, of shape (size, size, 3), uint8; None where the file is decoded again.
    """

    image: str
    champion: Prediction
    data: bytes
    square: NDArray[np.uint8] | None


@dataclass
class Sampler:
    """Lets another model answer a share of the photographs, one at a time, and only while the service is idle.

    Attributes:
        model: The model, with a network of its own.
        share: The share of photographs.
        is_idle: Says whether nobody waits for an answer.
        compare: Is told a photograph's name, what the champion answered, and what this model would have.
        dropped: Photographs that were chosen and then dropped, since the service was busy.
    """

    model: ServedModel
    share: float
    is_idle: Callable[[], bool]
    compare: Callable[[str, Prediction, Prediction], None]
    dropped: int = 0
    _chance: random.Random = field(default_factory=random.SystemRandom)

    def __post_init__(self) -> None:
        """Begin with nothing that waits."""
        self._waiting: deque[Sample] = deque()
        self._changed, self._ended = Condition(), False
        self._thread = Thread(target=self._work, name="sample", daemon=True)

    def start(self) -> None:
        """Work from now on, in a thread that steps back behind all others."""
        self._thread.start()

    def stop(self) -> None:
        """Drop what waits; a photograph that is being worked on ends on its own."""
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._changed.notify_all()

    def join(self) -> None:
        """Wait until the photograph that is being worked on is done."""
        self._thread.join()

    def offer(self, name: Callable[[bytes], str], observation: Observation) -> None:
        """Take a photograph if chance wants it and few wait; this takes no time worth speaking of.

        Args:
            name: Names a photograph by its bytes.
            observation: The photograph and the champion's answer.
        """
        if self._chance.random() >= self.share:
            return
        same = self.model.squares is observation.model.squares
        data, square = (b"", observation.square) if same else (observation.data, None)
        with self._changed:
            held = sum(len(sample.data) for sample in self._waiting)
            if self._ended or len(self._waiting) >= WAITING or held + len(data) > _BYTES:
                self.dropped += 1
                return
            self._waiting.append(Sample(name(observation.data), observation.prediction, data, square))
            self._changed.notify_all()

    def _work(self) -> None:
        _step_back()
        while sample := self._next():
            if prediction := self._predict(sample):
                self.compare(sample.image, sample.champion, prediction)

    def _next(self) -> Sample | None:
        """Wait for a photograph and for an idle moment; return None at the end."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._waiting)
                if self._ended:
                    return None
                if self.is_idle():
                    return self._waiting.popleft()
            time.sleep(_PAUSE)

    def _predict(self, sample: Sample) -> Prediction | None:
        square = self.model.squares.decode(sample.data) if sample.square is None else sample.square
        if isinstance(square, Rejection):
            return None
        return predict_features(self.model.head, self.model.backbone.network(square))


def _step_back() -> None:
    """Leave the processor to every other thread that wants it, where the system knows priorities of threads."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICEST)
