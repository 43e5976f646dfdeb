"""The inbox for people: what ``pedigree inbox list``, ``export`` and ``forget`` do."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from configs.errors import PedigreeError, SettingsError
from tasks.catalog.inbox_labels import read_came_in, write_labels
from tasks.domain.hashing import refuse_several
from tasks.domain.labels.inbox_labels import INBOX_FOLDER
from tasks.domain.serving.inbox_record import InboxPicture, InboxRecord, InboxState
from tasks.domain.serving.labelling_tasks import local_reference, make_labelling_config, make_labelling_task
from tasks.stores.files.export_folder import new_folder, write_file
from tasks.stores.inbox import Inbox
from tasks.stores.objects.folder import folder_path
from tasks.stores.objects.object_store import open_bucket

_TASKS, _CONFIG = "tasks.json", "labels.xml"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
# The first digits of a SHA-256 that are enough for what cannot be undone, and all of them.
_DIGITS, _ALL = re.compile(r"[0-9a-f]{12,64}"), 64
# The id of an answer, a ULID.
_ANSWER = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


@dataclass(frozen=True, slots=True)
class ListedPicture:
    """A picture of the inbox: its record, and what became of it."""

    record: InboxRecord
    state: InboxState


@dataclass(frozen=True, slots=True)
class InboxListing:
    """The pictures of an inbox.

    Attributes:
        inbox: Its address.
        pictures: The pictures, by day.
        damaged: A sentence for each picture whose record cannot be read.
    """

    inbox: str
    pictures: tuple[ListedPicture, ...]
    damaged: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Turn the answer into what JSON can hold."""
        pictures = [{**asdict(picture.record), "state": picture.state.value} for picture in self.pictures]
        return {"inbox": self.inbox, "pictures": pictures, "damaged": list(self.damaged)}


def list_pictures(inbox: Inbox, day: str = "", image: str = "") -> InboxListing:
    """List the pictures of a day, or of all days.

    Args:
        inbox: The inbox.
        day: The day, such as 2026-11-29; empty for all.
        image: What names a picture, as in ``InboxRecord.is_named``; empty for any.

    Returns:
        The pictures, each with what the model guessed and what became of it.
    """
    pictures = _listed(inbox, day)
    states = {picture.image: picture.state for picture in pictures}
    records, damaged = inbox.read_all(pictures)
    listed = [ListedPicture(record, states[record.image]) for record in records if not image or record.is_named(image)]
    return InboxListing(inbox.url, tuple(listed), tuple(damaged))


def _listed(inbox: Inbox, day: str) -> list[InboxPicture]:
    """List the pictures of a day or of all; raise SettingsError where the day is none."""
    if day and not _DAY.fullmatch(day):
        raise SettingsError(f"{day} is no day: write it as 2026-11-29.")
    inbox.objects.check()
    return inbox.listing(day)


@dataclass(frozen=True, slots=True)
class ExportedTasks:
    """The tasks that were written for Label Studio.

    Attributes:
        folder: Where they are.
        tasks: How many there are.
        files: The files: the tasks, and the configuration of a project.
        damaged: A sentence for each picture that was left out since its record cannot be read.
    """

    folder: str
    tasks: int
    files: tuple[str, ...]
    damaged: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Turn the answer into what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Which pictures are exported, and how Label Studio reaches them.

    Attributes:
        day: Those of one day; empty for all.
        again: Also those that were exported before and have not come back.
        root: The folder that Label Studio serves local files from; empty for the inbox itself.
    """

    day: str = ""
    again: bool = False
    root: str = ""


def export_tasks(inbox: Inbox, target: Path, options: ExportOptions) -> ExportedTasks:
    """Write the pictures that wait as Label Studio's tasks into a folder, and mark them as exported.

    Args:
        inbox: The inbox.
        target: The folder, new or empty.
        options: Which pictures, and how Label Studio reaches them.

    Returns:
        What was written where.

    Raises:
        PedigreeError: No picture waits.
    """
    states = {InboxState.WAITING, *((InboxState.EXPORTED,) if options.again else ())}
    pictures = [picture for picture in _listed(inbox, options.day) if picture.state in states]
    records, damaged = inbox.read_all(pictures)
    if not records:
        raise PedigreeError(f"No picture waits in the inbox {inbox.url}: pedigree inbox list shows what is there.")
    start = _start_of_references(inbox.url, options.root)
    tasks = [make_labelling_task(record, _reference(record, start)) for record in records]
    config = make_labelling_config(label for record in records for label in record.probabilities)
    with new_folder(target) as folder:
        write_file(folder / _TASKS, json.dumps(tasks, ensure_ascii=False, indent=1).encode())
        write_file(folder / _CONFIG, config.encode())
    inbox.mark([InboxPicture(record.day, record.image, InboxState.WAITING) for record in records], InboxState.EXPORTED)
    return ExportedTasks(str(target), len(tasks), (_TASKS, _CONFIG), tuple(damaged))


def _start_of_references(inbox: str, root: str) -> str:
    """Return what stands before the keys: the bucket's address, or the path of the inbox below Label Studio's root."""
    if urlsplit(inbox).scheme == "s3":
        if root:
            raise SettingsError("--root is for an inbox in a folder: Label Studio reads this one from its bucket.")
        return f"{inbox.rstrip('/')}/"
    if not root:
        return ""
    folder, above = folder_path(inbox).resolve(), Path(root).resolve()
    if not folder.is_relative_to(above):
        raise SettingsError(f"The inbox {folder} is not below --root {above}: name a folder that holds it.")
    return "" if folder == above else f"{folder.relative_to(above).as_posix()}/"


def _reference(record: InboxRecord, start: str) -> str:
    return f"{start}{record.key}" if start.startswith("s3://") else local_reference(f"{start}{record.key}")


@dataclass(frozen=True, slots=True)
class WithdrawnPicture:
    """A picture that was withdrawn.

    Attributes:
        image: The SHA-256 of its bytes.
        kept: Whether it was in the inbox.
        came_in: What was removed of it in the source, where it had come in labelled.
    """

    image: str
    kept: bool
    came_in: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Turn the answer into what JSON can hold."""
        return asdict(self)


def withdraw(inbox: Inbox, source: str, word: str) -> WithdrawnPicture:
    """Remove a picture from the inbox for good, and from the folder of the source in which it came in.

    Args:
        inbox: The inbox.
        source: The address of the source.
        word: The SHA-256 of its bytes, at least the first twelve digits of it, or the id of the answer.

    Returns:
        What was removed; a picture that was not there is never kept either, if all digits are given.
    """
    image = _resolve_picture(inbox, word)
    withdrawn = inbox.withdraw(image)
    bucket = open_bucket(source)
    came_in = read_came_in(bucket)
    keys = [entry.key for entry in bucket.entries(f"{INBOX_FOLDER}{image}.")]
    if image in came_in.labels:
        write_labels(bucket, came_in, [row for name, rows in came_in.labels.items() if name != image for row in rows])
    for key in keys:
        bucket.remove(key)
    return WithdrawnPicture(image, withdrawn, tuple(keys))


def _resolve_picture(inbox: Inbox, word: str) -> str:
    """Return the picture that a person means; raise SettingsError where that is not clear."""
    digits = word.lower()
    if not (_ANSWER.fullmatch(word) or _DIGITS.fullmatch(digits)):
        raise SettingsError(
            f"{word} is no picture: give at least 12 hexadecimal digits of its SHA-256, or the id of its answer."
        )
    records, _ = inbox.read_all(inbox.listing())
    matches = {record.image for record in records if record.is_named(word)} | inbox.named(digits)
    if not matches and len(digits) == _ALL:
        return digits
    if not matches:
        raise SettingsError(f"The inbox {inbox.url} holds no picture {word}: pedigree inbox list shows what is there.")
    refuse_several(word, "pictures", matches)
    return matches.pop()
