"""Labelled pictures of the inbox in the folder of the source through which they come in."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from configs.errors import PedigreeError
from tasks.domain.labels.inbox_labels import (
    FROM_INBOX,
    KEPT_FOR,
    LABEL_FILES,
    InboxLabel,
    find_image,
    format_labels,
    parse_labels,
    picture_key,
)
from tasks.domain.labels.manifest_formats.reading import read_manifest
from tasks.domain.labels.manifest_formats.statements import ManifestOptions, ParsedManifest
from tasks.domain.serving.inbox_record import InboxRecord, InboxState
from tasks.domain.serving.labelled_pictures import (
    LabelledPictures,
    MergedLabels,
    PictureLabel,
    merge_labels,
    sort_labels,
)
from tasks.domain.serving.labelling_tasks import kept_for
from tasks.stores.inbox import DamagedPictureError, Inbox
from tasks.stores.objects.object_store import Bucket, ObjectChangedError, open_bucket

_WRITES_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class CameIn:
    """The labels of pictures that came in before.

    Attributes:
        labels: The labels of each picture, by its SHA-256.
        files: The keys of the files that say them.
    """

    labels: Mapping[str, Sequence[InboxLabel]]
    files: tuple[str, ...]


def read_came_in(bucket: Bucket) -> CameIn:
    """Read the label files of a source; one that another call has just replaced is passed over."""
    readings = {}
    for key in [entry.key for entry in bucket.entries(LABEL_FILES)]:
        with suppress(ObjectChangedError):
            readings[key] = read_manifest(bucket.read(key), key, ManifestOptions("label"))
    labels = parse_labels(readings.values())
    return CameIn({find_image(key): rows for key, rows in labels.items()}, tuple(readings))


def write_labels(bucket: Bucket, before: CameIn, labels: Iterable[InboxLabel]) -> str:
    """Write all labels into one file, and remove the files before; of two calls at once neither loses anything.

    Args:
        bucket: The source.
        before: The files and labels before.
        labels: All labels that are to stand.

    Returns:
        The key of the file; empty where no label stands.
    """
    rows = list(labels)
    key, data = format_labels(rows)
    if rows:
        bucket.create(key, data)
    for file in before.files:
        if file != key or not rows:
            bucket.remove(file)
    return key if rows else ""


@dataclass(frozen=True, slots=True)
class AcceptOptions:
    """How an export of a labelling tool is read.

    Attributes:
        control: The control, or the field, that is the label; empty to let the format decide.
        replace: Whether another label than before takes its place.
    """

    control: str = ""
    replace: bool = False


@dataclass(frozen=True, slots=True)
class AcceptedLabels:
    """What an export came to.

    Attributes:
        source: Where the pictures came in.
        file: The key of the file with all labels.
        added: The label of each picture that came in now.
        standing: How many had come in under the same label before.
        replaced: The pictures whose label changed.
        contradicting: The label before and the new one, of pictures whose label stays.
        unlabelled: The pictures that nobody labelled.
        disagreeing: The labels of each picture that has several.
        unknown: What is named and not in the inbox.
        skipped: The rows that cannot be read.
        damaged: A sentence for each picture of the inbox that is damaged.
        new_classes: How many pictures came in of each class that the model did not know.
    """

    source: str
    file: str
    added: Mapping[str, str]
    standing: int
    replaced: tuple[str, ...]
    contradicting: Mapping[str, tuple[str, str]]
    unlabelled: tuple[str, ...]
    disagreeing: Mapping[str, tuple[str, ...]]
    unknown: tuple[str, ...]
    skipped: tuple[str, ...]
    damaged: tuple[str, ...]
    new_classes: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Turn the answer into what JSON can hold."""
        return asdict(self)


def accept_labels(
    inbox: Inbox, target: str, export: Path, aliases: Mapping[str, str], options: AcceptOptions
) -> AcceptedLabels:
    """Let the labelled pictures of an export come in: they are copied into a folder of the source, with their labels.

    Pictures come first, then the file with all labels, which alone makes them count, then the marks in the inbox: a
    call that was interrupted is finished by the next one.

    Args:
        inbox: The inbox.
        target: The address of the source, or of a folder that a person copies there.
        export: The file that the labelling tool wrote.
        aliases: Other spellings of classes.
        options: How it is read.

    Returns:
        What became of each picture.
    """
    reading = _read_export(export, options.control)
    pictures = {picture.image: picture for picture in inbox.listing()}
    sorted_labels = sort_labels(reading, pictures, aliases)
    records, damaged = inbox.read_all([pictures[image] for image in sorted_labels.labels])
    bucket = open_bucket(target)
    bucket.check()
    copied, more_damage = _copy_pictures(inbox, records, bucket)
    came_in = read_came_in(bucket)
    merged = merge_labels(came_in.labels, _inbox_labels(copied, sorted_labels), replace=options.replace)
    file = write_labels(bucket, came_in, merged.labels)
    inbox.mark((pictures[record.image] for record in copied), InboxState.ACCEPTED)
    unreadable = tuple(map(str, reading.skipped))
    return _accepted(bucket.url, file, copied, (sorted_labels, merged), (unreadable, (*damaged, *more_damage)))


def _read_export(export: Path, control: str) -> ParsedManifest:
    try:
        data = export.read_bytes()
    except OSError as error:
        raise PedigreeError(f"The export {export} cannot be read ({error.strerror}): correct the path.") from None
    if not data.strip():
        raise PedigreeError(f"The export {export} is empty: export it from the labelling tool again.")
    try:
        return read_manifest(data, export.name, ManifestOptions(control, (FROM_INBOX[0], KEPT_FOR)))
    except PedigreeError as problem:
        if b'"predictions"' in data and b'"annotations"' not in data:
            raise PedigreeError(
                f"{export} holds tasks that nobody has labelled yet: hand in what Label Studio exports."
            ) from None
        # The reader speaks of the settings, which say nothing of this file.
        raise PedigreeError(str(problem).replace("set labels.column", "set --control")) from None


def _copy_pictures(inbox: Inbox, records: Sequence[InboxRecord], bucket: Bucket) -> tuple[list[InboxRecord], list[str]]:
    """Copy pictures into the source, and return the records of those that are there, and sentences about damage."""

    def copy(record: InboxRecord) -> InboxRecord | str:
        try:
            bucket.create(picture_key(record.image, record.extension), inbox.picture(record))
        except DamagedPictureError as damage:
            return str(damage)
        return record

    with ThreadPoolExecutor(_WRITES_AT_ONCE) as pool:
        answers = list(pool.map(copy, records))
    copied = [answer for answer in answers if isinstance(answer, InboxRecord)]
    return copied, [answer for answer in answers if isinstance(answer, str)]


def _inbox_labels(records: Iterable[InboxRecord], labelled: LabelledPictures) -> dict[str, InboxLabel]:
    return {record.image: _inbox_label(record, labelled.labels[record.image]) for record in records}


def _inbox_label(record: InboxRecord, label: PictureLabel) -> InboxLabel:
    attributes = dict(label.attributes) | dict([FROM_INBOX, (KEPT_FOR, kept_for(record))])
    kept = tuple(sorted((name, value) for name, value in attributes.items() if value))
    return InboxLabel(picture_key(record.image, record.extension), label.label, kept)


def _accepted(
    source: str,
    file: str,
    records: Sequence[InboxRecord],
    labels: tuple[LabelledPictures, MergedLabels],
    problems: tuple[tuple[str, ...], tuple[str, ...]],
) -> AcceptedLabels:
    labelled, merged = labels
    added = {image: labelled.labels[image].label for image in merged.added}
    known = {record.image: record.probabilities for record in records}
    return AcceptedLabels(
        source=source,
        file=file,
        added=added,
        standing=len(merged.standing),
        replaced=merged.replaced,
        contradicting=merged.contradicting,
        unlabelled=labelled.unlabelled,
        disagreeing=labelled.disagreeing,
        unknown=labelled.unknown,
        skipped=problems[0],
        damaged=problems[1],
        new_classes=dict(Counter(label for image, label in added.items() if label not in known[image])),
    )
