"""Shadowing: a challenger that waits for a person answers every photograph beside the champion, and nobody hears it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from configs.servers import Serve
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.serving.answers import ModelIdentity
from tasks.domain.serving.shadow import Agreement, ShadowAnswer
from tasks.modeling.packaged_model import Prediction, predict_features
from tasks.service.models.following import Follower
from tasks.service.models.model_source import Challenger, ModelSource
from tasks.service.models.served_model import Observation

if TYPE_CHECKING:
    from tasks.modeling.head.head import Head

# Seconds after which a comparison that goes on is recorded again.
_RECORD_SECONDS = 600.0


@dataclass(frozen=True)
class _Pair:
    """A champion, and the challenger in its shadow."""

    champion: ModelIdentity
    challenger: Challenger
    head: "Head"
    agreement: Agreement

    @property
    def keys(self) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
        return self.champion.key, self.challenger.identity.key

    def to_dict(self) -> dict[str, Any]:
        return self.agreement.to_dict(self.champion.to_dict(), self.challenger.identity.to_dict())


@dataclass
class Shadow:
    """Compares the challenger that waits with the champion, on features that are there anyway.

    A challenger on another backbone would need the network a second time, and is left out.

    Attributes:
        source: Says which challenger waits, and holds its head.
        follower: Holds the champion.
        settings: How often the source is asked.
        record: Is told, with the challenger, how it compares: now and then, and when the comparison ends.
        log: Writes a sentence for whoever runs the service.
    """

    source: ModelSource
    follower: Follower
    settings: Serve
    record: Callable[[Challenger, Mapping[str, Any]], None]
    log: Callable[[str], None]
    _pair: _Pair | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Begin without a challenger."""
        self._lock, self._ended, self._recorded = Lock(), Event(), 0.0
        self._thread = Thread(target=self._follow, name="shadow", daemon=True)

    def start(self) -> None:
        """Look from now on which challenger waits, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more, and hand over what was compared."""
        self._ended.set()
        self._hand_over()

    def _follow(self) -> None:
        while not self._ended.wait(self.settings.follow_seconds):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - a challenger that fails in any way disturbs no answer
                self.log(f"The challenger is not compared with the champion: {type(error).__name__}: {error}")
                self._ended.wait(self.settings.follow_seconds * 30)

    def look(self) -> None:
        """Take the challenger that waits into the shadow of the model that serves, where both share a backbone."""
        model = self.follower.model
        challenger = self.source.challenger() if model else None
        if model is None or challenger is None or challenger.identity.backbone != model.identity.backbone:
            self._hand_over()
        elif self._pair is None or self._pair.keys != (model.identity.key, challenger.identity.key):
            head = self.source.challenger_head(challenger)
            self._hand_over()
            self._pair, self._recorded = _Pair(model.identity, challenger, head, Agreement()), time.monotonic()
        elif time.monotonic() - self._recorded >= _RECORD_SECONDS:
            self._record(self._pair)

    def _hand_over(self) -> None:
        pair, self._pair = self._pair, None
        if pair and pair.agreement.total:
            self._record(pair)
            self.log(f"{pair.challenger.identity.short} in the shadow of {pair.champion.short}: {pair.agreement}.")

    def _record(self, pair: _Pair) -> None:
        with self._lock:
            plain = pair.to_dict()
        self._recorded = time.monotonic()
        self.record(pair.challenger, plain)

    def observe(self, observation: Observation) -> None:
        """Compare the challenger's answer to a photograph with the champion's."""
        pair = self._pair
        if pair is None or pair.champion.key != observation.model.identity.key:
            return
        champion, challenger = map(
            _to_answer, (observation.prediction, predict_features(pair.head, observation.features))
        )
        image = sha256_of_bytes(observation.data) if champion.label != challenger.label else ""
        with self._lock:
            pair.agreement.add(image, champion, challenger)

    def describe(self) -> Mapping[str, Any] | None:
        """Return how the challenger compares so far, as JSON can hold it; None where none is in the shadow."""
        pair = self._pair
        if pair is None:
            return None
        with self._lock:
            return pair.to_dict()

    def counts(self) -> tuple[int, int]:
        """Return how many answers of the present pair agree, and how many differ."""
        pair = self._pair
        if pair is None:
            return 0, 0
        with self._lock:
            return pair.agreement.agreed, pair.agreement.total - pair.agreement.agreed


def _to_answer(prediction: Prediction) -> ShadowAnswer:
    return ShadowAnswer(prediction.label or "", prediction.probability or 0.0, prediction.sure)
