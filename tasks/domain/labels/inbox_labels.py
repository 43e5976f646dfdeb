"""Labels of pictures that came through the inbox: the folder of the source that they lie in, and the files of labels.

What lies in this folder is labelled by these files alone, whatever the settings say of folders and manifests.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.labels.attributes import Attributes
from tasks.domain.labels.manifest_formats.statements import ParsedManifest

#: The folder of the source with the labelled pictures of the inbox.
INBOX_FOLDER = "pedigree-inbox/"
#: What the keys of its label files begin with; pictures begin with a hash.
LABEL_FILES = f"{INBOX_FOLDER}labels-"
#: The attribute of every picture that came through the inbox, by which a slice tells how a model does on them.
FROM_INBOX = ("from", "inbox")
#: The attribute that tells why a picture was kept; those of ``random`` are a fair sample of what people send.
KEPT_FOR = "kept_for"

_DIGITS = 16
# A hash in a reference, also where Label Studio has put something in front of a file that was uploaded to it.
_IMAGE = re.compile(r"(?<![0-9a-f])([0-9a-f]{64})\.")
_RESERVED = {"key", "label"}


class InboxLabel(NamedTuple):
    """The label of a picture that came through the inbox.

    Attributes:
        key: The key of the picture in the source.
        label: The class.
        attributes: Names and values, sorted by name.
    """

    key: str
    label: str
    attributes: Attributes


def is_label_file(key: str) -> bool:
    """Return whether an object of the source is a file of such labels."""
    return key.startswith(LABEL_FILES)


def is_inbox_picture(key: str) -> bool:
    """Return whether an object of the source is a picture that came through the inbox."""
    return key.startswith(INBOX_FOLDER) and not is_label_file(key)


def picture_key(image: str, extension: str) -> str:
    """Return the key of a labelled picture in the source.

    Args:
        image: The SHA-256 of its bytes.
        extension: The extension of its file.

    Returns:
        The key.
    """
    return f"{INBOX_FOLDER}{image}.{extension}"


def find_image(reference: str) -> str:
    """Return the SHA-256 that a file is named by in a reference; empty where there is none."""
    match = _IMAGE.search(reference)
    return match[1] if match else ""


def format_labels(labels: Iterable[InboxLabel]) -> tuple[str, bytes]:
    """Format labels as JSON Lines, which is a label manifest.

    Args:
        labels: The labels.

    Returns:
        The key of the file, which is named by what it says, and its bytes.
    """
    rows = [
        {"key": label.key, "label": label.label, **{k: v for k, v in label.attributes if k not in _RESERVED}}
        for label in sorted(set(labels))
    ]
    data = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()
    return f"{LABEL_FILES}{sha256_of_bytes(data)[:_DIGITS]}.jsonl", data


def parse_labels(readings: Iterable[ParsedManifest]) -> Mapping[str, list[InboxLabel]]:
    """Return what label files say, by key; a key that has two labels there is a conflict.

    Args:
        readings: The files.

    Returns:
        The different labels of each key.
    """
    labels: dict[str, list[InboxLabel]] = {}
    for statement in (statement for reading in readings for statement in reading.statements):
        label = InboxLabel(statement.reference, statement.label, statement.attributes)
        of_key = labels.setdefault(label.key, [])
        if label not in of_key:
            of_key.append(label)
    return labels
