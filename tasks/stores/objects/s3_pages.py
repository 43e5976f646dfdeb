"""Pages of an S3 listing: read from the server's own text, since a parser of XML takes ten times as long about them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import unquote_plus

from tasks.domain.ingestion.source_objects import Entry

_FIELDS = {name: re.compile(f"<{name}>([^<]*)</{name}>") for name in ("Key", "Size", "LastModified")}
_FIELDS |= {"ETag": re.compile(r"""<ETag>(?:&quot;|&#34;|")?([^<&"]*)(?:&quot;|&#34;|")?</ETag>""")}
_PREFIXES = re.compile(r"<CommonPrefixes>\s*<Prefix>([^<]*)</Prefix>\s*</CommonPrefixes>")
_TRUNCATED = re.compile(r"<IsTruncated>\s*(true|false)\s*</IsTruncated>")
_TOKEN = re.compile(r"<NextContinuationToken>([^<]*)</NextContinuationToken>")
_ENCODED = re.compile(r"<EncodingType>\s*url\s*</EncodingType>")
_ENTITY = re.compile(r"&(?:#x([0-9A-Fa-f]+)|#([0-9]+)|([a-z]+));")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_WHOLE_SECONDS = len("2026-11-01T00:00:00.000Z")
_MILLISECONDS = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{3})Z")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing, each field of its objects in a list.

    Attributes:
        keys: The objects' whole keys.
        etags: Their ETags, without quotation marks.
        sizes: Their sizes in bytes.
        times: When they were written, in ISO 8601 and UTC.
        folders: What stands for all keys up to a slash, where that was asked for.
        truncated: Whether there are more pages.
        token: What to ask the next page with.
    """

    keys: Sequence[str]
    etags: Sequence[str]
    sizes: Sequence[int]
    times: Sequence[str]
    folders: Sequence[str]
    truncated: bool
    token: str

    @classmethod
    def of_answer(cls, answer: Mapping[str, Any]) -> Self:
        """Make a page of what boto3 returns."""
        rows = answer.get("Contents", [])
        return cls(
            [row["Key"] for row in rows],
            [row["ETag"].strip('"') for row in rows],
            [row["Size"] for row in rows],
            [row["LastModified"].astimezone(UTC).isoformat() for row in rows],
            [folder["Prefix"] for folder in answer.get("CommonPrefixes", [])],
            answer["IsTruncated"],
            answer.get("NextContinuationToken", ""),
        )

    def objects(self) -> Self:
        """Return the page without keys that end with a slash, which consoles write to show an empty folder."""
        if not any(key.endswith("/") for key in self.keys):
            return self
        return self._take([position for position, key in enumerate(self.keys) if not key.endswith("/")])

    def entries(self, start: int) -> Iterator[Entry]:
        """Yield the objects, their keys without so many letters in front."""
        for key, etag, size, time in zip(self.keys, self.etags, self.sizes, self.times, strict=True):
            yield Entry(key[start:], etag, size, "", time)

    def split(self) -> list["Page"]:
        """Return each object as a page of its own."""
        return [self._take([position]) for position in range(len(self.keys))]

    def _take(self, places: Sequence[int]) -> Self:
        return replace(
            self,
            keys=[self.keys[position] for position in places],
            etags=[self.etags[position] for position in places],
            sizes=[self.sizes[position] for position in places],
            times=[self.times[position] for position in places],
        )


def parse_page(text: str) -> Page | None:
    """Read a page of ``ListObjectsV2``.

    Args:
        text: The body of the answer.

    Returns:
        The page; None where the text is not what S3 writes, so that boto3 is to judge it.
    """
    columns = {name: pattern.findall(text) for name, pattern in _FIELDS.items()}
    truncated = _TRUNCATED.search(text)
    number = text.count("<Contents>")
    complete = text.rstrip().endswith("</ListBucketResult>")
    if not truncated or not complete or any(len(column) != number for column in columns.values()):
        return None
    decode = _decode_url if _ENCODED.search(text) else _decode_entities
    token = _TOKEN.search(text)
    with suppress(ValueError):
        return Page(
            _all(decode, columns["Key"], "&%+"),
            columns["ETag"],
            [int(size) for size in columns["Size"]],
            iso_times(columns["LastModified"]),
            [decode(folder) for folder in _PREFIXES.findall(text)],
            truncated[1] == "true",
            _decode_entities(token[1]) if token else "",
        )
    return None


def _all(decode: Any, column: list[str], signs: str) -> list[str]:  # noqa: ANN401 - a function of text
    """Decode a column, where any of its texts needs it."""
    joined = "".join(column)
    return [decode(text) for text in column] if any(sign in joined for sign in signs) else column


def _decode_url(text: str) -> str:
    return unquote_plus(_decode_entities(text), errors="strict")


def _decode_entities(text: str) -> str:
    return _ENTITY.sub(_entity, text) if "&" in text else text


def _entity(match: re.Match[str]) -> str:
    hexadecimal, decimal, name = match.groups()
    if name:
        if name not in _ENTITIES:
            raise ValueError(name)
        return _ENTITIES[name]
    return chr(int(hexadecimal, 16) if hexadecimal else int(decimal))


def iso_times(texts: Sequence[str]) -> list[str]:
    """Write times as Python does; S3 itself tells whole seconds."""
    if all(len(text) == _WHOLE_SECONDS and text.endswith(".000Z") for text in texts):
        return [f"{text[:-5]}+00:00" for text in texts]
    return [_iso_time(text) for text in texts]


def _iso_time(text: str) -> str:
    """Write a time as Python does, which leaves out a fraction of zero."""
    match = _MILLISECONDS.fullmatch(text)
    if match:
        return f"{match[1]}+00:00" if match[2] == "000" else f"{match[1]}.{match[2]}000+00:00"
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC).isoformat()
