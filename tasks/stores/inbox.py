"""The inbox: pictures whose senders agreed to have them kept, in a folder or bucket apart from source and store.

A picture lies under ``inbox/<day>/<sha256>.<extension>``, and its record beside it as ``.json``, which is written last:
what has no record is not in the inbox yet. Files are only created and removed, so several services may share it.
"""

import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cached_property

from configs.errors import PedigreeError, SettingsError
from configs.visible_text import shown
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.serving.inbox_record import InboxPicture, InboxRecord, InboxState
from tasks.stores.files.records import reject_unknown_fields
from tasks.stores.objects.folder import folder_path
from tasks.stores.objects.object_store import Bucket, ObjectChangedError, open_bucket

_KEY = re.compile(r"inbox/(\d{4}-\d{2}-\d{2})/([0-9a-f]{64})\.([a-z]+)")
_RECORD = "json"
# Requests for records wait for the network.
_READS_AT_ONCE = 16


class DamagedPictureError(PedigreeError):
    """A picture of the inbox, or its record, is not as it was written; others are not concerned."""


@dataclass(frozen=True)
class Inbox:
    """The inbox at an address; nothing is read or written before it is asked to."""

    url: str

    @cached_property
    def objects(self) -> Bucket:
        """The files of the inbox by their keys."""
        return open_bucket(self.url)

    def put(self, record: InboxRecord, data: bytes) -> bool:
        """Keep a picture, once for all days, unless its sender has withdrawn it.

        A call that was interrupted is finished by the next one for the same picture.

        Args:
            record: What is kept beside it.
            data: The picture's bytes.

        Returns:
            False where it was kept before, whose record then stays as it is, or was withdrawn.
        """
        if self.is_withdrawn(record.image):
            return False
        first = self.objects.create(_claim(record.image), record.day.encode())
        kept = record if first else replace(record, day=self.find(record.image))
        if not kept.day or (not first and self._has_record(kept)):
            return False
        self.objects.create(kept.key, data)
        written = self.objects.create(_beside(kept, _RECORD), _to_json(kept))
        if self.is_withdrawn(record.image):
            self._remove(kept.day, record.image)
            return False
        return written

    def _has_record(self, record: InboxRecord) -> bool:
        return any(self.objects.entries(_beside(record, _RECORD)))

    def find(self, image: str) -> str:
        """Return the day under which a picture is kept; empty where it is not."""
        try:
            return self.objects.read(_claim(image)).decode()
        except ObjectChangedError:
            return ""

    def named(self, digits: str) -> set[str]:
        """Return the pictures, kept or withdrawn, whose SHA-256 begins with these digits."""
        keys = [entry.key for folder in ("kept", "withdrawn") for entry in self.objects.entries(f"{folder}/{digits}")]
        return {key.rpartition("/")[2] for key in keys}

    def listing(self, day: str = "") -> list[InboxPicture]:
        """List the pictures of a day, or of all days, sorted by day and name, each with what became of it."""
        kinds: dict[tuple[str, str], set[str]] = {}
        for entry in self.objects.entries(f"inbox/{day}/" if day else "inbox/"):
            if match := _KEY.fullmatch(entry.key):
                kinds.setdefault((match[1], match[2]), set()).add(match[3])
        return [InboxPicture(*name, _state(found)) for name, found in sorted(kinds.items()) if _RECORD in found]

    def count(self, day: str) -> int:
        """Count the pictures of a day."""
        return len(self.listing(day))

    def read(self, picture: InboxPicture) -> InboxRecord:
        """Read the record of a picture, with what a person said about it since.

        Args:
            picture: The picture.

        Returns:
            Its record.

        Raises:
            DamagedPictureError: It is damaged, or was withdrawn meanwhile.
        """
        key = _key(picture, _RECORD)
        try:
            record = self._parse(key, self.objects.read(key))
        except ObjectChangedError:
            message = f"The inbox {shown(self.url)} holds {key} no more: list it again."
            raise DamagedPictureError(message) from None
        return self._with_opinion(record)

    def read_all(self, pictures: Sequence[InboxPicture]) -> tuple[list[InboxRecord], list[str]]:
        """Read the records of pictures.

        Args:
            pictures: The pictures.

        Returns:
            The records, in their order, and a sentence for each that is damaged.
        """

        def attempt(picture: InboxPicture) -> InboxRecord | str:
            try:
                return self.read(picture)
            except DamagedPictureError as damage:
                return str(damage)

        with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
            answers = list(pool.map(attempt, pictures))
        records = [answer for answer in answers if isinstance(answer, InboxRecord)]
        return records, [answer for answer in answers if isinstance(answer, str)]

    def _with_opinion(self, record: InboxRecord) -> InboxRecord:
        try:
            claimed = json.loads(self.objects.read(_beside(record, "said")))["claimed"]
        except ObjectChangedError:
            return record
        except (ValueError, KeyError, TypeError):
            raise self._damaged(_beside(record, "said")) from None
        return replace(record, wrong=True, claimed=str(claimed))

    def _parse(self, key: str, data: bytes) -> InboxRecord:
        try:
            record = InboxRecord.from_dict(reject_unknown_fields(InboxRecord, json.loads(data), key, self.url))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._damaged(key) from None
        if _beside(record, _RECORD) != key:
            raise self._damaged(key)
        return record

    def _damaged(self, key: str) -> DamagedPictureError:
        image = key.rpartition("/")[2].partition(".")[0]
        return DamagedPictureError(
            f"The file {key} of the inbox {shown(self.url)} is damaged: put it back from a copy, or remove the picture "
            f"with pedigree inbox forget {image}."
        )

    def picture(self, record: InboxRecord) -> bytes:
        """Read a picture.

        Args:
            record: Its record.

        Returns:
            Its bytes.

        Raises:
            DamagedPictureError: It is gone, or has other bytes than were sent.
        """
        try:
            data = self.objects.read(record.key)
        except ObjectChangedError:
            data = b""
        if sha256_of_bytes(data) != record.image:
            raise self._damaged(record.key)
        return data

    def contradict(self, image: str, claimed: str) -> bool:
        """Write down that a person said that the guess about a picture is wrong; the first such word stands.

        Args:
            image: The SHA-256 of its bytes.
            claimed: The class that the person named; empty for none.

        Returns:
            False where the picture is not in the inbox, or somebody had said so before.
        """
        day = self.find(image)
        data = json.dumps({"claimed": claimed}, ensure_ascii=False).encode()
        return bool(day) and self.objects.create(f"inbox/{day}/{image}.said", data)

    def mark(self, pictures: Iterable[InboxPicture], state: InboxState) -> None:
        """Write down what became of pictures; who is marked already stays so.

        Args:
            pictures: The pictures.
            state: Exported, or accepted.
        """
        with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
            list(pool.map(lambda picture: self.objects.create(_key(picture, state.value), b""), pictures))

    def is_withdrawn(self, image: str) -> bool:
        """Return whether a picture was withdrawn for good."""
        return any(self.objects.entries(_tombstone(image)))

    def withdraw(self, image: str) -> bool:
        """Remove a picture and all that is kept beside it for good; it is noted first that it never comes back.

        Args:
            image: The SHA-256 of its bytes.

        Returns:
            Whether it was in the inbox.
        """
        self.objects.create(_tombstone(image), b"")
        day = self.find(image)
        if day:
            self._remove(day, image)
        return bool(day)

    def _remove(self, day: str, image: str) -> None:
        """Remove all that is kept of a picture, also what an interrupted call wrote; last what leads to it."""
        for entry in list(self.objects.entries(f"inbox/{day}/{image}.")):
            self.objects.remove(entry.key)
        self.objects.remove(_claim(image))


def open_inbox(url: str, apart_from: Sequence[str] = ()) -> Inbox:
    """Open the inbox, which shares no folder with what runs read or write.

    Args:
        url: Its address; empty where the settings name none.
        apart_from: The addresses of source and store.

    Returns:
        The inbox.

    Raises:
        SettingsError: No address is named, or it lies inside source or store, or one of these inside the inbox.
    """
    if not url:
        raise SettingsError("There is no inbox: set inbox.url to a folder or bucket of its own.")
    for other in filter(None, apart_from):
        if _contains(url, other) or _contains(other, url):
            raise SettingsError(
                f"The inbox {shown(url)} and {shown(other)} are in one another: set inbox.url to a folder or bucket of "
                "its own, apart from source and store."
            )
    return Inbox(url)


def _contains(outer: str, inner: str) -> bool:
    return f"{_place(inner)}/".startswith(f"{_place(outer)}/")


def _place(url: str) -> str:
    return url.rstrip("/") if url.startswith("s3://") else str(folder_path(url).resolve())


def _claim(image: str) -> str:
    return f"kept/{image}"


def _tombstone(image: str) -> str:
    return f"withdrawn/{image}"


def _key(picture: InboxPicture, kind: str) -> str:
    return f"inbox/{picture.day}/{picture.image}.{kind}"


def _beside(record: InboxRecord, kind: str) -> str:
    return f"inbox/{record.day}/{record.image}.{kind}"


def _state(kinds: set[str]) -> InboxState:
    marks = (InboxState.ACCEPTED, InboxState.EXPORTED)
    return next((state for state in marks if state.value in kinds), InboxState.WAITING)


def _to_json(record: InboxRecord) -> bytes:
    return json.dumps(asdict(record), ensure_ascii=False, indent=1).encode()
