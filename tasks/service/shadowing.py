"""Shadowing: a challenger that waits answers photographs beside the champion, and nobody hears it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from configs.servers import Serve
from tasks.domain.serving.answers import ModelIdentity
from tasks.domain.serving.shadow import Agreement, ShadowAnswer
from tasks.modeling.packaged_model import Prediction
from tasks.service.models.checked_model import build_checked_model
from tasks.service.models.following import Follower
from tasks.service.models.model_source import Challenger, ModelSource
from tasks.service.models.served_model import Observation, ServedModel, Vector
from tasks.service.sampling import Sampler

if TYPE_CHECKING:
    from tasks.modeling.head.head import Head

# Seconds after which a comparison that goes on is recorded again.
_RECORD_SECONDS = 600.0
# A challenger that cannot be loaded is tried again after so many seconds, twice as many each time.
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 3600.0


@dataclass
class _Pair:
    """A champion, and the challenger in its shadow: by a head on the champion's features, or by a second network."""

    champion: ModelIdentity
    challenger: Challenger
    share: float
    head: "Head | None" = None
    sampler: Sampler | None = None
    agreement: Agreement = field(default_factory=Agreement)
    #: Tells the comparisons of several services, and of one that was started anew, apart.
    name: str = field(default_factory=lambda: token_hex(8))

    @property
    def keys(self) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
        return self.champion.key, self.challenger.identity.key

    def to_dict(self) -> dict[str, Any]:
        plain = self.agreement.to_dict(self.champion.to_dict(), self.challenger.identity.to_dict())
        dropped = self.sampler.dropped if self.sampler else 0
        facts = {"name": self.name, "waits_for": self.challenger.waits_for, "share": self.share, "dropped": dropped}
        return facts | plain


@dataclass
class Shadow:
    """Compares the challenger that waits with the champion.

    On the champion's backbone it answers every photograph, on features that are there anyway. On another one its
    network is loaded beside the champion's, and answers a share of the photographs while the service is idle.

    Attributes:
        source: Says which challenger waits, and holds its files.
        follower: Holds the champion.
        settings: How often the source is asked, and which share of the photographs a second network sees.
        is_idle: Says whether nobody waits for an answer.
        name_photograph: Names a photograph by its bytes, as the log does.
        record: Is told, with the challenger, how it compares: now and then, and when the comparison ends.
        log: Writes a sentence for whoever runs the service.
    """

    source: ModelSource
    follower: Follower
    settings: Serve
    is_idle: Callable[[], bool]
    name_photograph: Callable[[bytes], str]
    record: Callable[[Challenger, Mapping[str, Any]], None]
    log: Callable[[str], None]
    _pair: _Pair | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Begin without a challenger."""
        self._lock, self._ended, self._recorded = Lock(), Event(), 0.0
        self._thread = Thread(target=self._follow, name="shadow", daemon=True)

    def start(self) -> None:
        """Look from now on which challenger waits, in a thread, unless the settings want no shadow."""
        if self.settings.shadow:
            self._thread.start()

    def stop(self) -> None:
        """Look no more, and hand over what was compared."""
        self._ended.set()
        self._hand_over()

    def _follow(self) -> None:
        pause = _FIRST_PAUSE
        while not self._ended.wait(self.settings.follow_seconds):
            try:
                self.look()
                pause = _FIRST_PAUSE
            except Exception as error:  # noqa: BLE001 - a challenger that fails in any way disturbs no answer
                self.log(f"The challenger is not compared with the champion: {type(error).__name__}: {error}")
                self._ended.wait(pause)
                pause = min(_LONGEST_PAUSE, 2 * pause)

    def look(self) -> None:
        """Take the challenger that waits into the shadow of the model that serves."""
        model = self.follower.model
        challenger = self.source.challenger() if model else None
        if model is None or challenger is None or not self._shared(model, challenger):
            self._hand_over()
        elif self._pair is None or self._pair.keys != (model.identity.key, challenger.identity.key):
            self._hand_over()
            self._pair, self._recorded = self._begin(model, challenger), time.monotonic()
        elif time.monotonic() - self._recorded >= _RECORD_SECONDS:
            self._record(self._pair)

    def _shared(self, model: ServedModel, challenger: Challenger) -> float:
        """Return the share of photographs that the challenger answers."""
        return 1.0 if challenger.identity.backbone == model.identity.backbone else self.settings.shadow_share

    def _begin(self, model: ServedModel, challenger: Challenger) -> _Pair:
        pair = _Pair(model.identity, challenger, self._shared(model, challenger))
        if challenger.identity.backbone == model.identity.backbone:
            pair.head = self.source.challenger_head(challenger)
            return pair
        challenger_model = build_checked_model(self.source, challenger.identity, self.settings, model).result.model
        pair.sampler = Sampler(
            challenger_model,
            pair.share,
            self.is_idle,
            lambda image, champion, challenger: self._count(pair, image, champion, _to_answer(challenger)),
        )
        pair.sampler.start()
        self.log(f"The network of {challenger.identity.short} is loaded beside that of {pair.champion.short}.")
        return pair

    def spare(self, backbone: str) -> ServedModel | None:
        """Return the challenger's model, or let go of it: beside the champion's there is room for one more network.

        Args:
            backbone: The fingerprint of a backbone that is about to serve.

        Returns:
            The challenger's model where it has that backbone, which need not be loaded again; else None.
        """
        sampler = self._pair.sampler if self._pair else None
        if sampler is None or sampler.model.identity.backbone == backbone:
            return sampler.model if sampler else None
        sampler.stop()
        if self._pair:
            self._pair.sampler = None
        return None

    def _hand_over(self) -> None:
        pair, self._pair = self._pair, None
        if pair and pair.sampler:
            pair.sampler.stop()
        if pair and pair.agreement.total:
            self._record(pair)
            self.log(f"{pair.challenger.identity.short} in the shadow of {pair.champion.short}: {pair.agreement}.")

    def _record(self, pair: _Pair) -> None:
        with self._lock:
            plain = pair.to_dict()
        self._recorded = time.monotonic()
        self.record(pair.challenger, plain)

    def observe(self, observation: Observation) -> None:
        """Compare the challenger's answer to a photograph with the champion's, now or in an idle moment."""
        pair = self._pair
        if pair is None or pair.champion.key != observation.model.identity.key:
            return
        if pair.sampler:
            pair.sampler.offer(self.name_photograph, observation)
        elif pair.head:
            answer = _ask(pair.head, observation.features)
            same = answer.label == observation.prediction.label
            self._count(pair, "" if same else self.name_photograph(observation.data), observation.prediction, answer)

    def _count(self, pair: _Pair, image: str, champion: Prediction, challenger: ShadowAnswer) -> None:
        with self._lock:
            pair.agreement.add(image, _to_answer(champion), challenger)

    def disputes(self, model: ModelIdentity, features: Vector, label: str, data: bytes) -> bool:
        """Return whether the challenger gives a photograph another class, as far as that is known.

        Args:
            model: The model that answered.
            features: The photograph's features, of shape (width,).
            label: The class that was answered.
            data: The bytes of the photograph.

        Returns:
            Whether it does; False where no challenger is in that model's shadow, or its own network did not see it.
        """
        pair = self._pair
        if pair is None or pair.champion.key != model.key:
            return False
        if pair.head:
            return _ask(pair.head, features).label != label
        with self._lock:
            return self.name_photograph(data) in pair.agreement.disputed

    def describe(self) -> Mapping[str, Any] | None:
        """Return how the challenger compares so far, as JSON can hold it; None where none is in the shadow."""
        pair = self._pair
        if pair is None:
            return None
        with self._lock:
            return pair.to_dict()

    def counts(self) -> tuple[int, int, int]:
        """Return how many answers of the present pair agree and differ, and how many photographs were dropped."""
        pair = self._pair
        if pair is None:
            return 0, 0, 0
        with self._lock:
            agreed, total = pair.agreement.agreed, pair.agreement.total
        return agreed, total - agreed, pair.sampler.dropped if pair.sampler else 0


def _ask(head: "Head", features: Vector) -> ShadowAnswer:
    """Return a head's answer without the probabilities of all classes, which nobody reads."""
    probabilities = head.probabilities(features[None])[0]
    likeliest = int(probabilities.argmax())
    probability = float(probabilities[likeliest])
    return ShadowAnswer(head.classes[likeliest], probability, head.is_confident(probability))


def _to_answer(prediction: Prediction) -> ShadowAnswer:
    return ShadowAnswer(prediction.label or "", prediction.probability or 0.0, prediction.sure)
