"""Bodies of requests: read within bounds of size and time before anything is parsed, then taken apart."""

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from configs.servers import Serve
from tasks.domain.serving.problems import ProblemKind, ServiceProblemError

_MEGABYTE = 2**20
#: The types of a photograph sent as it is; without any type the bytes say what they are.
_RAW = ("image/", "application/octet-stream")
_FORM, _JSON = "multipart/form-data", "application/json"
# A client that sends more than is read may only hear why once all was sent: so many bodies' worth is thrown away.
_DISCARDED = 4
# The bodies that are held at once, in largest bodies.
_HELD = 16


@dataclass(frozen=True, slots=True)
class Photographs:
    """The photographs of one request.

    Attributes:
        files: Their bytes, in the order of the request.
        several: Whether the request is of a kind that can hold several, and so gets a list.
    """

    files: list[bytes]
    several: bool


class Memory:
    """The bytes of bodies that are held at once; requests count them in the event loop alone."""

    def __init__(self, settings: Serve) -> None:
        """Begin with nothing held.

        Args:
            settings: The largest body.
        """
        self._most, self._held = _HELD * settings.max_megabytes * _MEGABYTE, 0

    @property
    def held(self) -> int:
        """Return how many bytes are held."""
        return self._held

    def take(self, size: int) -> None:
        """Count bytes that came.

        Args:
            size: How many.

        Raises:
            ServiceProblemError: All requests together hold too many already.
        """
        if self._held + size > self._most:
            raise ServiceProblemError(ProblemKind.BUSY, "Other requests fill the memory.", retry_after=1)
        self._held += size

    def release(self, size: int) -> None:
        """Count bytes that are held no more."""
        self._held -= size


class Body:
    """The body of one request, whose bytes are counted while it is held."""

    def __init__(self, request: Request, settings: Serve, memory: Memory) -> None:
        """Read nothing yet.

        Args:
            request: The request.
            settings: The largest body, and how long it may take.
            memory: Counts what all requests hold.
        """
        self._request, self._settings, self._memory = request, settings, memory
        self._most, self._held = settings.max_megabytes * _MEGABYTE, 0

    def release(self) -> None:
        """Count the body's bytes no more."""
        self._memory.release(self._held)
        self._held = 0

    async def read(self) -> bytes:
        """Read the whole body.

        Returns:
            Its bytes.

        Raises:
            ServiceProblemError: It is empty, too large or too slow.
        """
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                data = await self._read()
        except TimeoutError:
            seconds = f"{self._settings.body_seconds:g} seconds"
            raise ServiceProblemError(ProblemKind.SLOW_BODY, f"The body was not there within {seconds}.") from None
        if not data:
            raise ServiceProblemError(ProblemKind.EMPTY_BODY, "Send the bytes of a photograph.")
        return data

    async def _read(self) -> bytes:
        announced = self._request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._most:
            await self._refuse(int(announced) <= _DISCARDED * self._most)
        parts: list[bytes] = []
        more = True
        while more:
            chunk, more = await self._receive()
            if self._held + len(chunk) > self._most:
                await self._refuse(more)
            self._memory.take(len(chunk))
            self._held += len(chunk)
            parts.append(chunk)
        return b"".join(parts)

    async def _receive(self) -> tuple[bytes, bool]:
        """Return the next part of the body, and whether more of it comes."""
        message = await self._request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return message.get("body", b""), message.get("more_body", False)

    async def _refuse(self, more: bool) -> NoReturn:  # noqa: FBT001 - a state, not a choice
        """Throw away what still comes, within bounds, so that the client is there to hear why it is refused."""
        size = 0
        while more and size <= _DISCARDED * self._most:
            chunk, more = await self._receive()
            size += len(chunk)
        raise ServiceProblemError(
            ProblemKind.TOO_LARGE, f"A request has at most {self._settings.max_megabytes} megabytes."
        )


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
    kind = content_type(request)
    if kind == _FORM:
        files = await asyncio.to_thread(_read_form, request.headers["content-type"], data)
    elif kind == _JSON:
        files = await asyncio.to_thread(read_json, data)
    else:
        return Photographs([data], several=False)
    if not files:
        raise ServiceProblemError(ProblemKind.EMPTY_BODY, "There is no photograph in the request.")
    if len(files) > settings.max_files:
        raise ServiceProblemError(
            ProblemKind.TOO_MANY, f"{len(files):,} photographs, at most {settings.max_files:,} are answered at once."
        )
    return Photographs(files, several=True)


class _Form:
    """Collects the files of a form, which all are in memory already."""

    def __init__(self) -> None:
        self.files: list[bytes] = []
        self._name, self._value = b"", b""
        self._is_file, self._is_named, self._data = False, False, bytearray()
        self.complete = False

    def begin(self) -> None:
        self._name, self._value, self._data = b"", b"", bytearray()
        self._is_file = self._is_named = False

    def field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            options = parse_options_header(self._value)[1]
            self._is_file, self._is_named = b"filename" in options, bool(options.get(b"filename"))
        self._name, self._value = b"", b""

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._data += data[start:end]

    def end(self) -> None:
        # A browser sends a field in which no file was chosen as a file without name and content.
        if self._is_named or self._data:
            self.files.append(bytes(self._data))

    def finish(self) -> None:
        self.complete = True


def _read_form(kind: str, data: bytes) -> list[bytes]:
    form = _Form()
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
    return form.files


def read_json(data: bytes) -> list[bytes]:
    """Read photographs from JSON as MLflow's servers take it.

    Args:
        data: The body: dataframe_records, dataframe_split, instances or inputs, with base64 under image.

    Returns:
        The files.

    Raises:
        ServiceProblemError: It is no such JSON.
    """
    try:
        return [_decode(text) for text in _images(json.loads(data))]
    except (ValueError, TypeError, KeyError, LookupError, RecursionError, binascii.Error):
        raise ServiceProblemError(
            ProblemKind.MALFORMED,
            'Write the photographs as {"dataframe_records": [{"image": "base64 of a file"}]}.',
        ) from None


def _images(plain: Mapping[str, Any]) -> list[Any]:
    """List the values of the column image, in whichever of MLflow's forms they stand."""
    if "dataframe_split" in plain:
        table = plain["dataframe_split"]
        column = table["columns"].index("image")
        return [row[column] for row in table["data"]]
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
