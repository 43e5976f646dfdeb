"""Bodies of requests: read within bounds of size and time before anything of them is parsed."""

import asyncio
from typing import NoReturn

from starlette.requests import ClientDisconnect, Request

from configs.servers import Serve
from tasks.domain.serving.problems import ProblemKind, ServiceProblemError

_MEGABYTE = 2**20
# A client that sends more than is read may only hear why once all was sent: so many bodies' worth is thrown away.
_DISCARDED = 4
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
