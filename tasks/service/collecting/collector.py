"""Collector: photographs worth a label are kept in the inbox where their senders agreed, off the answers' path."""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from threading import Event, Thread, get_native_id
from typing import Any

from configs.errors import PedigreeError
from configs.schema import Dataset
from configs.servers import Inbox as InboxSettings
from configs.visible_text import shown
from tasks.decoding.picture_cleaner import PictureCleaner
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.rejections import Rejection
from tasks.domain.serving.inbox.choice import (
    Candidate,
    LivePicture,
    choose_candidates,
    leave_out_near_duplicates,
    list_reasons,
)
from tasks.domain.serving.inbox.consent import Consent
from tasks.domain.serving.inbox.feedback import Feedback, Verdict
from tasks.domain.serving.inbox_record import InboxRecord
from tasks.service.collecting.held_pictures import HeldPicture, HeldPictures
from tasks.service.collecting.inbox_day import InboxDay
from tasks.service.metrics import Metrics
from tasks.service.models.served_model import Observation
from tasks.stores.inbox import Inbox

#: How long photographs are held whose senders may still agree, or whose answers may still be called wrong, in seconds.
HOLD_SECONDS = 600.0
# Seconds between two looks, after one that failed, and while no place is open; and how much later than answers this
# work gets a core.
_PAUSE, _FAILED_PAUSE, _FULL_PAUSE, _NICE = 5.0, 30.0, 60.0, 10
# Words about pictures that are in the inbox already wait for it in memory, and their names are remembered.
_MOST_CHANGES, _MOST_NAMES = 1000, 10_000
_CLEAN_SECONDS = 20.0
# A service that stops waits so long for what it holds to be kept.
_LAST_SECONDS = 10.0
_BITS = Dataset().near_duplicate_bits


@dataclass
class Collector:
    """Holds photographs within bounds, chooses among them, and writes the chosen ones into the inbox.

    Attributes:
        settings: Where the inbox is, and how much it takes.
        inbox: The inbox; None where the service keeps no photograph.
        is_disputed: Tells whether the challenger gives a photograph another class.
        salt: A secret, so that nobody can make a picture that chance draws.
        metrics: Gets counts.
        log: Writes a sentence for whoever runs the service.
        clock: Returns the seconds since 1970.
        unreachable: Why the inbox could not be written at the last try; empty where it could.
    """

    settings: InboxSettings
    inbox: Inbox | None
    is_disputed: Callable[[HeldPicture], bool]
    salt: bytes
    metrics: Metrics
    log: Callable[[str], None]
    clock: Callable[[], float] = time.time
    unreachable: str = field(default="", init=False)

    def __post_init__(self) -> None:
        """Begin with nothing held."""
        self._held = HeldPictures(self.settings.megabytes * 2**20, self.clock)
        self._day = InboxDay(self.inbox, self.settings.per_day) if self.inbox else None
        # The names of pictures in the inbox, by the answers that people may still judge.
        self._names: dict[str, str] = {}
        self._changes: deque[Callable[[], object]] = deque(maxlen=_MOST_CHANGES)
        self._withdrawn: deque[str] = deque(maxlen=_MOST_CHANGES)
        self._pause = _PAUSE
        self._ended = Event()
        self._thread = Thread(target=self._follow, name="inbox", daemon=True)

    @property
    def consent(self) -> Consent:
        """Return what is known of consent when the page sends a photograph: it asks below the answer."""
        return Consent.ASKED if self.inbox else Consent.NONE

    def start(self) -> None:
        """Keep photographs from now on, in a thread."""
        if self.inbox:
            self._thread.start()

    def stop(self) -> None:
        """Keep what is still held and has a place, as far as that takes no long time, and end."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_LAST_SECONDS)

    def observe(self, observation: Observation) -> None:
        """Hold a photograph that has an answer, where its sender agreed to have it kept or is asked."""
        if self.inbox and observation.consent is not Consent.NONE:
            self._count("dropped", self._held.hold(observation))

    def holds(self, answer: str) -> bool:
        """Return whether the photograph of an answer is held, or kept already."""
        return answer in self._names or answer in self._held

    def explain_absence(self) -> str:
        """Say why the photograph of an answer is not held."""
        if self.inbox is None:
            return "This service keeps no photographs."
        return "The photograph is no longer held: send it again, and agree to have it kept."

    def agree(self, answer: str) -> None:
        """Note that the sender of a photograph agrees to have it kept."""
        self._held.agree(answer)

    def withdraw(self, answer: str) -> None:
        """Let a photograph go whose sender agrees no more, and take it out of the inbox."""
        self._withdrawn.append(answer)
        self._count("withdrawn", self._held.drop([answer]))
        if self.inbox and (image := self._names.pop(answer, "")):
            self._changes.append(partial(self.inbox.withdraw, image))
            self._count("withdrawn", 1)

    def judge(self, answer: str, feedback: Feedback) -> None:
        """Note what a person says of an answer, beside its photograph.

        Args:
            answer: The answer's id.
            feedback: What the person says.
        """
        is_held = self._held.judge(answer, feedback)
        image = self._names.get(answer, "")
        if self.inbox and image and not is_held and feedback.verdict is Verdict.WRONG:
            self._changes.append(partial(self.inbox.contradict, image, feedback.claimed))

    def describe(self) -> Mapping[str, Any] | None:
        """Return how the inbox fares, as JSON can hold it; None where the service keeps no photograph."""
        if self.inbox is None:
            return None
        plain = {"place": shown(self.inbox.url), "held": len(self._held), "unreachable": self.unreachable}
        return {name: value for name, value in plain.items() if value != ""}

    def _follow(self) -> None:
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICE)
        ended = False
        while not ended:
            ended = self._ended.wait(_FAILED_PAUSE if self.unreachable else self._pause)
            self.look()

    def look(self) -> None:
        """Keep what is worth it; where the inbox cannot be written, photographs wait within the bounds of memory."""
        self._held.expire(HOLD_SECONDS)
        try:
            self._make_changes()
            self._keep_candidates()
            failure = ""
        except Exception as error:  # noqa: BLE001 - whatever fails here, answers go on
            failure = str(error) if isinstance(error, PedigreeError) else f"It failed with {type(error).__name__}."
            self._count("failed", 1)
        if failure and not self.unreachable:
            self.log(f"The inbox cannot be written, and photographs wait in memory: {failure}")
        self.unreachable = failure
        self.metrics.show_inbox(self._held.size, reachable=not failure)

    def _make_changes(self) -> None:
        while self._changes:
            self._changes[0]()
            self._changes.popleft()

    def _keep_candidates(self) -> None:
        pictures = self._one_of_each_file(self._held.measure())
        candidates = [candidate for picture in pictures.values() if (candidate := self._to_candidate(picture))]
        self._drop_ordinary(pictures, candidates)
        self._pause = _PAUSE
        if not candidates or self._day is None:
            return
        places = self._day.count_open_places(self.clock())
        distinct = leave_out_near_duplicates(candidates, self._day.hashes.values(), _BITS)
        names = {candidate.image for candidate in candidates} - {candidate.image for candidate in distinct}
        self._drop("duplicate", [pictures[name] for name in names])
        chosen = choose_candidates(distinct, self._day.earlier, places, self.settings.per_day)
        if chosen:
            self._keep(self._day, [(candidate, pictures[candidate.image]) for candidate in chosen])
        elif distinct:
            self._pause = _FULL_PAUSE

    def _one_of_each_file(self, pictures: Sequence[HeldPicture]) -> Mapping[str, HeldPicture]:
        """Return the last picture of each file by its name, or the one whose answer was called wrong."""
        ranked = sorted(pictures, key=lambda picture: (picture.is_contradicted, picture.since))
        named = {picture.image: picture for picture in ranked}
        self._drop("duplicate", [picture for picture in pictures if picture is not named[picture.image]])
        return named

    def _to_candidate(self, picture: HeldPicture) -> Candidate | None:
        """Return a picture with the reasons to keep it; None where there is none."""
        live = LivePicture(
            picture.image,
            consent=picture.consented is not None,
            sure=picture.prediction.sure,
            unusual=picture.unusual,
            disputed=self.is_disputed(picture),
            contradicted=picture.is_contradicted,
        )
        reasons = list_reasons(live, self.settings.random_share, self.salt)
        return Candidate(picture.image, picture.phash, picture.features, reasons) if reasons else None

    def _drop_ordinary(self, pictures: Mapping[str, HeldPicture], candidates: Sequence[Candidate]) -> None:
        """Let pictures go that nothing speaks for, once nobody calls their answers wrong any more."""
        ordinary, before = pictures.keys() - {candidate.image for candidate in candidates}, self.clock() - HOLD_SECONDS
        self._drop("ordinary", [pictures[name] for name in ordinary if pictures[name].since < before])

    def _drop(self, result: str, pictures: Sequence[HeldPicture]) -> None:
        self._count(result, self._held.drop(picture.answer for picture in pictures))

    def _count(self, result: str, pictures: int) -> None:
        if pictures:
            self.metrics.count_inbox(result, pictures)

    def _keep(self, day: InboxDay, chosen: Sequence[tuple[Candidate, HeldPicture]]) -> None:
        """Write pictures into the inbox, each as a clean copy."""
        with PictureCleaner(chosen[0][1].limits, _CLEAN_SECONDS) as cleaner:
            for candidate, picture in chosen:
                clean = cleaner.clean(picture.data)
                if isinstance(clean, Rejection):
                    self._drop("unusable", [picture])
                else:
                    self._write(day, candidate, picture, clean)

    def _write(self, day: InboxDay, candidate: Candidate, picture: HeldPicture, clean: bytes) -> None:
        if picture.answer in self._withdrawn:
            return
        record = to_record(day.day, candidate, picture, sha256_of_bytes(clean))
        is_new = day.inbox.put(record, clean)
        day.add(candidate, record.image)
        # From here on words about the answer go to the inbox; what came while it was written is caught up on.
        self._names[picture.answer] = record.image
        if len(self._names) > _MOST_NAMES:
            del self._names[next(iter(self._names))]
        late = self._held.take(picture.answer)
        self._count("kept" if is_new else "duplicate", 1)
        if picture.answer in self._withdrawn:
            self._changes.append(partial(day.inbox.withdraw, record.image))
        elif late and late.feedback and late.is_contradicted and not record.wrong:
            self._changes.append(partial(day.inbox.contradict, record.image, late.feedback.claimed))


def to_record(day: str, candidate: Candidate, picture: HeldPicture, image: str) -> InboxRecord:
    """Write down what is known of a picture that is kept.

    Args:
        day: The present day.
        candidate: The picture with the reasons to keep it.
        picture: The picture.
        image: The SHA-256 of its clean copy.

    Returns:
        The record.
    """
    prediction, feedback = picture.prediction, picture.feedback
    return InboxRecord(
        image=image,
        day=day,
        extension="jpg",
        answer=picture.answer,
        model=picture.model.short,
        guess=prediction.label or "",
        probabilities=prediction.probabilities or {},
        sure=prediction.sure,
        unusual=picture.unusual,
        reasons=tuple(map(str, candidate.reasons)),
        consented=datetime.fromtimestamp(picture.consented or 0, UTC).isoformat(timespec="seconds"),
        wrong=picture.is_contradicted,
        claimed=feedback.claimed if feedback else "",
        phash=candidate.phash.hex(),
        sent=picture.image,
    )
