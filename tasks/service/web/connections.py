"""Connections: HTTP by uvicorn, but no client holds one without end, nor fills the memory with what is no body."""

import asyncio

from uvicorn.protocols.http.auto import AutoHTTPProtocol

# The bytes of a head, or between two parts of a body, that are more than any honest client sends.
_MOST_BETWEEN = 2**16
# The requests that a client sends before it has the answer to the first one.
_MOST_AHEAD = 16
# httptools keeps what comes until a head or a trailer ends; h11, where it is not installed, has bounds of its own.
_KEEPS_ALL = hasattr(AutoHTTPProtocol, "on_body")


class BoundedProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """Closes a connection whose client neither sends the head of a request nor goes away, or sends too much of it.

    Attributes:
        head_seconds: The time that a head may take; bodies have one of their own.
    """

    head_seconds = 10.0
    _timer: asyncio.TimerHandle | None = None
    _between = 0

    @classmethod
    def within(cls, seconds: float) -> "type[BoundedProtocol]":
        """Return the protocol with another time in seconds, as uvicorn takes it."""
        return type(cls.__name__, (cls,), {"head_seconds": seconds})

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Wait for a request from now on."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait on until the head of a request is whole, and again from the first byte of the next one."""
        self._between += len(data)
        super().data_received(data)
        if _KEEPS_ALL and (self._between > _MOST_BETWEEN or len(self.pipeline) > _MOST_AHEAD):
            self._stop_waiting()
            self.transport.abort()
        elif self.cycle is None or self.cycle.response_complete:
            self._wait()
        else:
            self._stop_waiting()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._between = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a request."""
        self._between = 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._timer = self._timer or self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()
