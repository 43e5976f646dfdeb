"""A dataset version as a plain folder: which file each image becomes, and the manifest as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from tasks.domain.manifest import Row

MANIFEST = "manifest.csv"
_EXTENSIONS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif", "BMP": "bmp", "GIF": "gif"}
# Not a letter of a file name on some system, or the mark of our own escapes.
_UNSAFE = frozenset('%/\\:*?"<>|\x7f') | frozenset(map(chr, range(32)))
_OWN = ("image", "file", "label", "split", "key")


def folder_name(label: str) -> str:
    """Name a class's folder: its label, with what no folder may be called percent-encoded, as in a web address.

    ``urllib.parse.unquote`` gives the label back, and no label can leave the folder that it is in.
    """
    letters = [quote(letter, safe="") if letter in _UNSAFE else letter for letter in label]
    if letters[0] == "." or label.lower() == MANIFEST:
        letters[0] = f"%{ord(letters[0]):02X}"
    if letters[-1] in {".", " "}:
        letters[-1] = f"%{ord(letters[-1]):02X}"
    return "".join(letters)


def file_name(row: Row, form: str) -> str:
    """Place an image below the folder: class/sha256.extension, by the format that it came in."""
    return f"{folder_name(row.label)}/{row.image}.{_EXTENSIONS.get(form, form.lower())}"


def manifest_csv(rows: Sequence[Row], files: Mapping[str, str]) -> bytes:
    """Write a version's rows, sorted by image, with a column an attribute, as RFC 4180 says, in UTF-8."""
    attributes = sorted({name for row in rows for name, _ in row.attributes})
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerow([*_OWN[:-1], *(_column(name) for name in attributes), _OWN[-1]])
    for row in sorted(rows, key=lambda row: row.image):
        own = dict(row.attributes)
        values = [own.get(name, "") for name in attributes]
        writer.writerow([row.image, files[row.image], row.label, row.split.value, *values, row.key])
    return sink.getvalue().encode()


def _column(attribute: str) -> str:
    """Name an attribute's column by its name; no attribute holds a colon, so the mark keeps it from our own columns."""
    return f"attribute:{attribute}" if attribute in _OWN else attribute
