"""Bodies of requests: read within bounds of size and time before anything of them is parsed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from starlette.requests import ClientDisconnect, Request

from configs.servers import Serve
from tasks.domain.serving.problems import ProblemKind, ServiceProblemError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
_MEGABYTE = 2**20
# The bytes and seconds that go into throwing away what a refused client still sends.
_DISCARDED, _DISCARD_SECONDS = 2**26, 2
# The bodies that are held at once, in largest bodies.
_HELD = 16


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
            raise self._too_large()
        parts: list[bytes] = []
        more = True
        while more:
            message = await self._request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk, more = message.get("body", b""), message.get("more_body", False)
            if self._held + len(chunk) > self._most:
                raise self._too_large()
            self._memory.take(len(chunk))
            self._held += len(chunk)
            parts.append(chunk)
        return b"".join(parts)

    def _too_large(self) -> ServiceProblemError:
        detail = f"A request has at most {self._settings.max_megabytes} megabytes."
        return ServiceProblemError(ProblemKind.TOO_LARGE, detail)


class Upload:
    """What a client sends with one request, of which a refusal may come before its end."""

    def __init__(self, receive: Receive) -> None:
        """Begin before anything came.

        Args:
            receive: Awaits the next message of the client.
        """
        self._receive, self._ended = receive, False

    @property
    def ended(self) -> bool:
        """Return whether all has come, or the client is gone."""
        return self._ended

    async def receive(self) -> Message:
        """Return the next message of the client."""
        message = await self._receive()
        self._ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def discard(self) -> None:
        """Throw away what still comes, within bounds: a client that is sending does not hear before its end."""
        size = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_DISCARD_SECONDS):
                while not self._ended and size <= _DISCARDED:
                    size += len((await self.receive()).get("body", b""))


def is_dropped(headers: Mapping[str, str]) -> bool:
    """Return whether what still comes of a request after its refusal is dropped by the connection itself.

    Its end is known then, and near, so that the connection can be used again; the time until the next head bounds it.

    Args:
        headers: The headers of the request, by names in small letters.

    Returns:
        Whether nobody has to read it.
    """
    announced = headers.get("content-length", "")
    return announced.isdecimal() and int(announced) <= _DISCARDED and "expect" not in headers
