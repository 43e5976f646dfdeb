"""Connections: HTTP by uvicorn, but no client holds one without end, nor fills the memory with what is no body."""

import asyncio
import sys
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from tasks.domain.serving.problems import ProblemKind, ServiceProblem
from tasks.service.web.front import encode_problem

# The bytes of a head, or between two parts of a body, that are more than any honest client sends.
_MOST_BETWEEN = 2**16
# The requests that a client sends before it has the answer to the first one.
_MOST_AHEAD = 16
# The connections whose clients say nothing, beside those that are answered.
_MOST_WAITING = 1000
# httptools keeps what comes until a head or a trailer ends; h11, where it is not installed, has bounds of its own.
_KEEPS_ALL = hasattr(AutoHTTPProtocol, "on_body")


class BoundedProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """Closes a connection whose client sends no whole head or too much of it, reads no answer, and does not go away.

    Attributes:
        head_seconds: The time that a head may take, and so the reading of what was sent; bodies have one of their own.
        waiting: The connections that wait for a request, the one that has waited longest first.
    """

    head_seconds = 10.0
    waiting: ClassVar["dict[BoundedProtocol, None]"] = {}
    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _between = 0

    @classmethod
    def within(cls, seconds: float) -> "type[BoundedProtocol]":
        """Return the protocol with another time in seconds, as uvicorn takes it."""
        return type(cls.__name__, (cls,), {"head_seconds": seconds, "waiting": {}})

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Wait for a request from now on; where too many wait, the one that has waited longest is let go."""
        super().connection_made(transport)
        if len(self.waiting) >= _MOST_WAITING:
            next(iter(self.waiting))._give_up()  # noqa: SLF001 - a connection of the same kind
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait on until the head of a request is whole, and again from the first byte of the next one."""
        self._between += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if _KEEPS_ALL and self._between > _MOST_BETWEEN:
            self._refuse_long_head()
        elif _KEEPS_ALL and len(self.pipeline) > _MOST_AHEAD:
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

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self.waiting.setdefault(self)

    def eof_received(self) -> None:
        """Tell a client that ends within a body that it is cut off; it may still listen."""
        if self.cycle and self.cycle.more_body and not self.cycle.response_complete:
            self._refuse(ServiceProblem(ProblemKind.MALFORMED, "The body is shorter than was announced."))

    def pause_writing(self) -> None:
        """Let a client go that reads nothing of what is sent to it."""
        super().pause_writing()
        self._unread = self._unread or self.loop.call_later(self.head_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Send on."""
        self._stop_timing_reader()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        self._stop_timing_reader()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Tell what is no HTTP as a problem too.

        Args:
            msg: What uvicorn would say.
        """
        del msg
        if getattr(sys.exception(), "error_status_hint", 0) == ProblemKind.LONG_HEAD.status:
            self._refuse_long_head()
        elif self._answers_last():
            detail = "More came than was announced: Content-Length is less than the body, or no request follows it."
            self._refuse(ServiceProblem(ProblemKind.MALFORMED, detail))
        else:
            detail = "This is no HTTP/1.1 request, or none that is read here."
            self._refuse(ServiceProblem(ProblemKind.MALFORMED, detail))

    def _answers_last(self) -> bool:
        """Return whether the last request came as a whole, and is the only one whose answer is still to begin."""
        cycle = self.cycle
        ahead = len(self.pipeline) if _KEEPS_ALL else 0
        return bool(cycle and not ahead and not cycle.more_body and not cycle.response_started)

    def _refuse_long_head(self) -> None:
        detail = "The request's line and headers are longer than is read here."
        self._refuse(ServiceProblem(ProblemKind.LONG_HEAD, detail))

    def _refuse(self, problem: ServiceProblem) -> None:
        """Send a problem in place of an answer, where none has begun, and close the connection."""
        cycle = self.cycle
        within_body = cycle and cycle.more_body and not cycle.response_started
        if cycle is None or cycle.response_complete or within_body or self._answers_last():
            status = HTTPStatus(problem.kind.status)
            headers, body = encode_problem(problem)
            lines = [f"HTTP/1.1 {status} {status.phrase}".encode(), b"connection: close"]
            lines += [b"%s: %s" % header for header in headers]
            self.transport.write(b"\r\n".join([*lines, b"", body]))
        if cycle:
            cycle.disconnected = True
        self.transport.close()

    def _wait(self) -> None:
        self._timer = self._timer or self.loop.call_later(self.head_seconds, self._give_up)
        self.waiting.setdefault(self)

    def _stop_waiting(self) -> None:
        self.waiting.pop(self, None)
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _stop_timing_reader(self) -> None:
        if self._unread:
            self._unread.cancel()
            self._unread = None

    def _give_up(self) -> None:
        self._stop_waiting()
        if not self.transport.is_closing():
            self.transport.close()
