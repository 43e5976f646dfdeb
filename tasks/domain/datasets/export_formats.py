"""Export formats of a dataset version: file names of a plain folder, the manifest as CSV, and Croissant metadata."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any
from urllib.parse import quote

from tasks.domain.datasets.manifest import Row
from tasks.domain.hashing import sha256_of

MANIFEST = "manifest.csv"
_EXTENSIONS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif", "BMP": "bmp", "GIF": "gif"}
# Characters that some file system does not allow in names, and the percent sign of the escapes.
_UNSAFE = frozenset('%/\\:*?"<>|\x7f') | frozenset(map(chr, range(32)))
# Device names that Windows reserves, with any extension and in any case.
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)", re.IGNORECASE)
# The longest file name in bytes on common file systems. A longer name is cut and ends in a mark, which is no valid
# escape, and in digits of a hash.
_LONGEST, _CUT, _DIGITS = 255, "%~", 16
_FIXED_COLUMNS = ("image", "file", "label", "split", "key")
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_FIELDS = {
    "image": "SHA-256 of the image's bytes, which name it in the store and in a checked-out folder",
    "label": "What the image shows",
    "split": "train, validation, test or held-out; given once, for life",
    "key": "Where the image was first found in the source",
}


def folder_name(label: str) -> str:
    """Return the folder name of a class: its label, in which unsafe characters are percent-encoded as in a URL.

    ``urllib.parse.unquote`` restores the label, and no label can lead out of the exported folder. A name that would be
    too long is cut, and ends in a unique mark and a hash of the label; manifest.csv holds the whole label.

    Returns:
        The name, at most 255 bytes in UTF-8.
    """
    letters = [quote(letter, safe="") if letter in _UNSAFE else letter for letter in label]
    if letters[0] == "." or label.lower() == MANIFEST or _RESERVED.match(label):
        letters[0] = f"%{ord(letters[0]):02X}"
    if letters[-1] in {".", " "}:
        letters[-1] = f"%{ord(letters[-1]):02X}"
    return "".join(letters) if _byte_length(letters) <= _LONGEST else _shorten(label, letters)


def _shorten(label: str, letters: list[str]) -> str:
    ending = f"{_CUT}{sha256_of(label)[:_DIGITS]}"
    sizes = accumulate(_byte_length([letter]) for letter in letters)
    prefix_length = sum(size <= _LONGEST - len(ending) for size in sizes)
    return "".join(letters[:prefix_length]) + ending


def _byte_length(letters: Sequence[str]) -> int:
    return len("".join(letters).encode())


def file_name(row: Row, form: str) -> str:
    """Return the path of an image below the exported folder: class/sha256.extension.

    Args:
        row: The image's row.
        form: The format of its file, such as JPEG.

    Returns:
        The relative path.
    """
    return f"{folder_name(row.label)}/{row.image}.{_EXTENSIONS.get(form, form.lower())}"


def format_manifest_csv(rows: Sequence[Row], files: Mapping[str, str]) -> bytes:
    """Format a version's rows as CSV (RFC 4180, UTF-8), sorted by image, with one column for each attribute.

    Args:
        rows: The version's rows.
        files: The relative path of each image.

    Returns:
        The bytes of the file.
    """
    attributes = sorted({name for row in rows for name, _ in row.attributes})
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerow([*_FIXED_COLUMNS[:-1], *(_column_name(name) for name in attributes), _FIXED_COLUMNS[-1]])
    for row in sorted(rows, key=lambda row: row.image):
        attribute_values = dict(row.attributes)
        values = [attribute_values.get(name, "") for name in attributes]
        writer.writerow([row.image, files[row.image], row.label, row.split.value, *values, row.key])
    return sink.getvalue().encode()


def _column_name(attribute: str) -> str:
    """Return an attribute's column name, prefixed where it equals a fixed column; attributes never hold a colon."""
    return f"attribute:{attribute}" if attribute in _FIXED_COLUMNS else attribute


def build_croissant(dataset: str, images: int, classes: int, written: str, manifest_sha256: str) -> dict[str, Any]:
    """Build the Croissant metadata of a dataset version, whose manifest is a Parquet file beside it.

    No licence is stated, since only the owner of the photographs can do so.

    Source: the Croissant format specification 1.0, MLCommons.

    Args:
        dataset: The hash of the version.
        images: How many images it has.
        classes: How many classes it has.
        written: When it was written, in ISO 8601.
        manifest_sha256: The SHA-256 of the manifest's file.

    Returns:
        The JSON-LD document.
    """
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"pedigree-{dataset[:12]}",
        "description": f"{images} labelled images of {classes} classes; the dataset's hash is {dataset}.",
        "version": f"1.0.0+{dataset[:12]}",
        "identifier": dataset,
        "datePublished": written[:10],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "manifest",
                "name": "manifest.parquet",
                "contentUrl": "manifest.parquet",
                "encodingFormat": "application/x-parquet",
                "sha256": manifest_sha256,
            }
        ],
        "recordSet": [{"@type": "cr:RecordSet", "@id": "images", "name": "images", "field": _describe_fields()}],
    }


def _describe_fields() -> list[dict[str, Any]]:
    return [
        {
            "@type": "cr:Field",
            "@id": f"images/{name}",
            "name": name,
            "description": meaning,
            "dataType": "sc:Text",
            "source": {"fileObject": {"@id": "manifest"}, "extract": {"column": name}},
        }
        for name, meaning in _FIELDS.items()
    ]
