"""Contents of requests: a photograph as it is, a form with several, or JSON as MLflow's servers take it."""

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from configs.servers import Serve
from tasks.domain.serving.problems import ProblemKind, ServiceProblemError

#: The types of a photograph sent as it is; without any type the bytes say what they are.
_RAW = ("image/", "application/octet-stream")
_FORM, _JSON = "multipart/form-data", "application/json"
# What a form or JSON holds beside its photographs: fields of other names, columns, rows.
_BESIDE = 1000


@dataclass(frozen=True, slots=True)
class Photographs:
    """The photographs of one request.

    Attributes:
        files: Their bytes, in the order of the request.
        several: Whether the request is of a kind that can hold several, and so gets a list.
        consent: The words of its fields that are called consent.
    """

    files: list[bytes]
    several: bool
    consent: tuple[str, ...] = ()


def content_type(request: Request) -> str:
    """Return the type of a request's content without its parameters; empty where none is given."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def check_type(request: Request) -> None:
    """Check, before the body is read, that its type is one that holds photographs.

    Args:
        request: The request.

    Raises:
        ServiceProblemError: It is another one; the sentence says what to send.
    """
    kind = content_type(request)
    if kind and kind not in {_FORM, _JSON} and not kind.startswith(_RAW):
        raise ServiceProblemError(
            ProblemKind.WRONG_TYPE,
            "Send a photograph as image/jpeg or another image type, several as multipart/form-data, or JSON as MLflow "
            "takes it.",
        )
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise ServiceProblemError(ProblemKind.WRONG_TYPE, "Send the body as it is, without a Content-Encoding.")


def check_json(request: Request) -> None:
    """Check that a request holds JSON, as MLflow's servers want it; raise ServiceProblemError where it does not."""
    if content_type(request) != _JSON:
        raise ServiceProblemError(ProblemKind.WRONG_TYPE, "Send JSON as application/json.")


async def take_apart(request: Request, data: bytes, settings: Serve) -> Photographs:
    """Take a body apart into photographs, in a thread where that takes a while.

    Args:
        request: The request, whose content type says what the body is.
        data: The body.
        settings: The most photographs.

    Returns:
        The photographs.

    Raises:
        ServiceProblemError: The body is not of that type, or holds none or too many.
    """
    kind, consent = content_type(request), tuple[str, ...]()
    if kind == _FORM:
        form = await asyncio.to_thread(_read_form, request.headers["content-type"], data, settings.max_files)
        files, consent = form.files, tuple(form.consent)
    elif kind == _JSON:
        files = await asyncio.to_thread(read_json, data, settings.max_files)
    else:
        return Photographs([data], several=False)
    if not files:
        raise ServiceProblemError(ProblemKind.EMPTY_BODY, "There is no photograph in the request.")
    return Photographs(files, True, consent)  # noqa: FBT003 - several


def _check_number(number: int, most: int) -> None:
    """Check, before any of them is taken out, how many photographs a request holds."""
    if number > most:
        detail = f"{number:,} photographs, at most {most:,} are answered at once."
        raise ServiceProblemError(ProblemKind.TOO_MANY, detail)


class _Form:
    """Collects the files of a form, which all are in memory already, and what it says about keeping them."""

    def __init__(self, most: int) -> None:
        self.files: list[bytes] = []
        self.consent: list[str] = []
        self._most, self._parts = most, 0
        self._name, self._value = b"", b""
        self._is_file, self._is_named, self._data = False, False, bytearray()
        self._is_consent = False
        self.complete = False

    def begin(self) -> None:
        self._parts += 1
        if self._parts > self._most + _BESIDE:
            _check_number(self._parts, self._most)
        self._name, self._value, self._data = b"", b"", bytearray()
        self._is_file = self._is_named = self._is_consent = False

    def field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            options = parse_options_header(self._value)[1]
            self._is_file, self._is_named = b"filename" in options, bool(options.get(b"filename"))
            self._is_consent = not self._is_file and options.get(b"name") == b"consent"
        self._name, self._value = b"", b""

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file or self._is_consent:
            self._data += data[start:end]

    def end(self) -> None:
        if self._is_consent:
            self.consent.append(self._data.decode("utf-8", "replace"))
            return
        # A browser sends a field in which no file was chosen as a file without name and content.
        if self._is_named or self._data:
            self.files.append(bytes(self._data))
            _check_number(len(self.files), self._most)

    def finish(self) -> None:
        self.complete = True


def _read_form(kind: str, data: bytes, most: int) -> _Form:
    form = _Form(most)
    boundary = parse_options_header(kind)[1].get(b"boundary", b"")
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": form.begin,
                "on_header_field": form.field,
                "on_header_value": form.value,
                "on_header_end": form.header_end,
                "on_part_data": form.data,
                "on_part_end": form.end,
                "on_end": form.finish,
            },
        )
        parser.write(data)
        parser.finalize()
    except (FormParserError, ValueError):
        form.complete = False
    if not form.complete:
        raise ServiceProblemError(ProblemKind.MALFORMED, "The form is cut off, or is none.")
    return form


def read_json(data: bytes, most: int) -> list[bytes]:
    """Read photographs from JSON as MLflow's servers take it.

    Args:
        data: The body: dataframe_records, dataframe_split, instances or inputs, with base64 under image.
        most: The most photographs.

    Returns:
        The files.

    Raises:
        ServiceProblemError: It is no such JSON, or holds too many photographs.
    """
    # Of millions of empty lists the parser would make objects of a hundred bytes each, while every thread waits.
    if data.count(b",") > _BESIDE + most:
        _check_number(data.count(b","), most)
    try:
        _check_nesting(data, most)
        texts = _images(json.loads(data))
        _check_number(len(texts), most)
        return [_decode(text) for text in texts]
    except (ValueError, TypeError, KeyError, LookupError, RecursionError, binascii.Error):
        raise ServiceProblemError(
            ProblemKind.MALFORMED,
            'Write the photographs as {"dataframe_records": [{"image": "base64 of a file"}]}.',
        ) from None


def _check_nesting(data: bytes, most: int) -> None:
    """Check that JSON has about as many lists and objects as photographs; raise ValueError where it has more."""
    if data.count(b"[") + data.count(b"{") > _BESIDE + most:
        raise ValueError


def _images(plain: Any) -> list[Any]:  # noqa: ANN401 - whatever JSON can hold
    """List the values of the column image, in whichever of MLflow's forms they stand."""
    if not isinstance(plain, Mapping):
        raise TypeError
    if "dataframe_split" in plain:
        table = plain["dataframe_split"]
        if table["columns"] != ["image"]:
            raise ValueError
        return [text for (text,) in table["data"]]
    rows = plain.get("dataframe_records", plain.get("instances", plain.get("inputs")))
    if isinstance(rows, Mapping):
        texts: list[Any] = rows["image"]
        return texts if isinstance(texts, list) else [texts]
    if not isinstance(rows, list):
        raise TypeError
    return [row["image"] if isinstance(row, Mapping) else row for row in rows]


def _decode(text: Any) -> bytes:  # noqa: ANN401 - whatever JSON can hold
    if not isinstance(text, str):
        raise TypeError
    return base64.b64decode(text, validate=True)
