"""Following: a thread looks who is champion, and lets that model serve once it is loaded and has passed its check."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Event, Thread

from configs.errors import PedigreeError
from configs.servers import Serve
from tasks.domain.serving.answers import ModelIdentity
from tasks.service.models.checked_model import build_checked_model, restore_or_share
from tasks.service.models.golden_check import check_copy
from tasks.service.models.last_good import KeptModel, LastGood
from tasks.service.models.model_source import ModelSource
from tasks.service.models.served_model import ServedModel, build_model

# A model that was refused is tried again after so many seconds, twice as many each time: its files may be mended.
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0


@dataclass(frozen=True, slots=True)
class Following:
    """How the service follows the decisions.

    Attributes:
        place: Where champions are found.
        looked: When that place answered last, in seconds since 1970; 0 before it did.
        unreachable: Why it does not answer now; empty where it does.
        refused: Why the champion does not serve; empty where it does, or there is none.
        checked: What the golden check of the model that serves saw.
        kept: Why no copy of that model could be kept on this machine; empty where there is one.
        waits: Why there is no model; empty where there is one.
    """

    place: str
    looked: float = 0.0
    unreachable: str = ""
    refused: str = ""
    checked: str = ""
    kept: str = ""
    waits: str = "the first model is being loaded"

    def age(self, seconds: float) -> float:
        """Return how many seconds ago the place answered last, given the present time since 1970."""
        return max(0.0, seconds - self.looked) if self.looked else float("inf")


@dataclass
class _Refusal:
    identity: ModelIdentity | None = None
    until: float = 0.0
    pause: float = _FIRST_PAUSE


@dataclass
class Follower:
    """Holds the model that serves; a request takes it once, and what it took stays whole until its answer.

    Attributes:
        source: Where champions are found.
        last_good: The copy on this machine.
        settings: How often it looks, and what a model may take.
        report: Is told of each swap: its outcome (ok or refused) and its seconds.
        log: Writes a sentence for whoever runs the service.
        spare: Returns a model that is loaded and does not serve, where it has this backbone; else it makes room.
        on_refusal: Is told which champion does not serve, and why; once for each reason.
        model: The model that serves; None before there is one.
        following: How decisions are followed.
    """

    source: ModelSource
    last_good: LastGood
    settings: Serve
    report: Callable[[str, float], None]
    log: Callable[[str], None]
    spare: Callable[[str], ServedModel | None] = lambda _backbone: None
    on_refusal: Callable[[ModelIdentity, str], None] = lambda _champion, _reason: None
    model: ServedModel | None = None
    following: Following = field(init=False)

    def __post_init__(self) -> None:
        """Begin without a model; nothing is read yet."""
        self.following = Following(self.source.place)
        self._refusal, self._ended = _Refusal(), Event()
        self._thread = Thread(target=self._follow, name="follow", daemon=True)

    def start(self) -> None:
        """Look from now on, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a look that is under way ends on its own."""
        self._ended.set()

    def _follow(self) -> None:
        while not self._ended.is_set():
            self.look()
            self._ended.wait(self.settings.follow_seconds)

    def look(self) -> None:
        """Look once who is champion, and let that model serve if it is another one and passes its check."""
        try:
            champion = self.source.champion()
        except Exception as error:  # noqa: BLE001 - whatever happens there, the model that serves goes on
            self._note_unreachable(_sentence(error))
            return
        if self.following.unreachable:
            self.log(f"{self.source.place} answers again.")
        self.following = replace(self.following, looked=time.time(), unreachable="")
        if champion is None:
            self._wait_for_champion()
        elif self.model and champion.key == self.model.identity.key:
            self._stay(self.model, champion)
        elif not self._is_refused(champion):
            self._swap(champion)

    def _note_unreachable(self, reason: str) -> None:
        if reason != self.following.unreachable:
            self.log(f"{self.source.place} cannot be followed: {reason}")
        self.following = replace(self.following, unreachable=reason)
        if self.model is None:
            self._start_from_copy()

    def _wait_for_champion(self) -> None:
        waits = f"{self.source.place} has no champion yet"
        if self.model is None and self.following.waits != waits:
            self.log(f"{waits}: pedigree retrain trains one, and it serves as soon as it is promoted.")
            self.following = replace(self.following, waits=waits)

    def _stay(self, model: ServedModel, champion: ModelIdentity) -> None:
        if champion != model.identity:
            self.model = model.named(champion)
        self.following = replace(self.following, refused="")

    def _is_refused(self, champion: ModelIdentity) -> bool:
        return champion == self._refusal.identity and time.monotonic() < self._refusal.until

    def _swap(self, champion: ModelIdentity) -> None:
        started = time.monotonic()
        try:
            self._load(champion)
        except Exception as error:  # noqa: BLE001 - a model that fails in any way does not serve, and the other one goes on
            self._refuse(champion, _sentence(error))
            self.report("refused", time.monotonic() - started)
            return
        self.report("ok", time.monotonic() - started)
        if self.model:
            self.model.squares.warm_up()
        self.log(f"{champion.name} {champion.short} serves, decision {champion.decision}.")

    def _load(self, champion: ModelIdentity) -> None:
        former = self.model
        if former is None and self._serve_matching_copy(champion):
            return
        if former and former.identity.backbone != champion.backbone:
            former = self.spare(champion.backbone) or former
        checked = build_checked_model(self.source, champion, self.settings, former)
        # One assignment: whoever reads this attribute has either the former model or this one.
        self.model = checked.result.model
        self.following = replace(self.following, refused="", waits="", checked=checked.result.summary)
        self._keep_copy(lambda: self.last_good.keep(checked.result, checked.package))

    def _keep_copy(self, keep: Callable[[], None]) -> None:
        try:
            keep()
        except PedigreeError as error:
            self.log(str(error))
            self.following = replace(self.following, kept=str(error))
        else:
            self.following = replace(self.following, kept="")

    def _refuse(self, champion: ModelIdentity, reason: str) -> None:
        again = champion == self._refusal.identity
        pause = min(_LONGEST_PAUSE, 2 * self._refusal.pause) if again else _FIRST_PAUSE
        self._refusal = _Refusal(champion, time.monotonic() + pause, pause)
        if reason != self.following.refused:
            self.log(f"{champion.name} {champion.short} does not serve: {reason}")
            self.on_refusal(champion, reason)
        self.following = replace(self.following, refused=reason)
        if self.model is None:
            self._start_from_copy()

    def _serve_matching_copy(self, champion: ModelIdentity) -> bool:
        """Serve the copy on this machine where it is of that very model; otherwise the source is read."""
        try:
            kept = self.last_good.read()
            if kept is None or kept.identity.key != champion.key:
                return False
            self._serve_copy(kept)
        except PedigreeError as error:
            self.log(str(error))
            return False
        if self.model:
            self._stay(self.model, champion)
        return True

    def _start_from_copy(self) -> None:
        """Serve the last good model, where nothing else can be had."""
        try:
            if kept := self.last_good.read():
                self._serve_copy(kept)
                self.log(f"{kept.identity.name} {kept.identity.short} serves from the copy on this machine.")
            else:
                self.following = replace(self.following, waits="there is no copy of a model on this machine")
        except Exception as error:  # noqa: BLE001 - what is wrong with a copy ends no service
            self.following = replace(self.following, waits=_sentence(error))

    def _serve_copy(self, kept: KeptModel) -> None:
        model = build_model(kept.identity, restore_or_share(kept.package, None), kept.package, self.settings, None)
        self.model = check_copy(model, kept.reference)
        self.following = replace(self.following, waits="", checked=kept.summary)


def _sentence(error: Exception) -> str:
    if isinstance(error, PedigreeError):
        return str(error)
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
