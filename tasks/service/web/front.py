"""The front: what every request passes on its way in and out, whichever address it asks for."""

import json
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tasks.domain.serving.problems import PROBLEM_JSON, ProblemKind, ServiceProblem, ServiceProblemError
from tasks.service.metrics import Metrics
from tasks.service.web.access import FOR_PEOPLE, Access
from tasks.service.web.bodies import Message, Receive, Upload, is_dropped
from tasks.service.web.origins import check_origin

Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Endpoint = Callable[[Request], Awaitable[Response]]

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    # Forms of the page need it: without a referrer browsers say that they come from no site.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_FAILED, _SLOW = 400, 408
# The requests that are there at once, most of which are sent slowly.
_REQUESTS = 1000


class Front:
    """Wraps the app: access, headers, problems instead of errors, and the count of requests."""

    def __init__(
        self,
        app: App,
        direct: Mapping[tuple[str, str], Endpoint],
        access: Access,
        metrics: Metrics,
        is_draining: Callable[[], bool],
    ) -> None:
        """Wrap the app.

        Args:
            app: The app.
            direct: By method and path, what answers without a way through the app: that costs as much as all else that
                the event loop does for a photograph.
            access: Lets requests in.
            metrics: Gets the count of requests.
            is_draining: Tells whether the service is about to stop, so that connections are not to be used again.
        """
        self._app, self._direct = app, direct
        self._access, self._metrics, self._is_draining = access, metrics, is_draining
        self._present = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request.

        Args:
            scope: ASGI's description of the connection.
            receive: Awaits the next message of the client.
            send: Sends a message to the client.
        """
        if scope["type"] == "http":
            self._present += 1
            try:
                await self._http(scope, receive, send)
            finally:
                self._present -= 1
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        statuses: list[int] = []
        headers, upload = Headers(scope=scope), Upload(receive)
        dropped = is_dropped(headers)
        # HEAD is GET without the body, which the server leaves out.
        reading = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
                is_refused = _FAILED <= message["status"] != _SLOW and not upload.ended
                # Who waits to be told to go on sends nothing after a refusal.
                if is_refused and not dropped and "expect" not in headers:
                    await upload.discard()
                self._add_headers(
                    message, scope["path"], is_last=message["status"] >= _FAILED and not (upload.ended or dropped)
                )
            await send(message)

        try:
            self._check(scope, headers)
            await self._answer(reading, upload.receive, send_with_headers)
        except ServiceProblemError as error:
            await send_problem(send_with_headers, error.problem)
        except ClientDisconnect:
            statuses.append(499)
        except Exception as error:  # noqa: BLE001 - a client hears that it went wrong, and not where
            _report(error)
            if not statuses:
                problem = ServiceProblem(ProblemKind.FAILED, "The service's log says what went wrong.")
                await send_problem(send_with_headers, problem)
        self._metrics.count_request(self._address(reading), statuses[0] if statuses else 500)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        endpoint = self._direct.get((scope["method"], scope["path"]))
        if endpoint is None:
            await self._app(scope, receive, send)
        else:
            response = await endpoint(Request(scope, receive))
            await response(scope, receive, send)

    def _address(self, scope: Message) -> str:
        """Return the path of the route that answered, as it is written in the API."""
        if (scope["method"], scope["path"]) in self._direct:
            return str(scope["path"])
        return getattr(scope.get("route"), "path", "other")

    def _check(self, scope: Message, headers: Headers) -> None:
        """Check, before anything else is done with a request, whether it may be answered; raise what it is told."""
        if self._present > _REQUESTS:
            raise ServiceProblemError(ProblemKind.BUSY, "There are too many requests at once.", retry_after=1)
        self._access.check(scope["path"], headers)
        check_origin(scope["method"], headers)
        _check_length(headers)

    def _add_headers(self, message: Message, path: str, *, is_last: bool) -> None:
        """Add what every response has; after the last one of a connection, this side closes it."""
        headers = MutableHeaders(raw=message.setdefault("headers", []))
        if path in FOR_PEOPLE and "WWW-Authenticate" in headers:
            # Browsers ask people for a password of this kind alone.
            headers["WWW-Authenticate"] = 'Basic realm="Pedigree", charset="UTF-8"'
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        if is_last or self._is_draining():
            headers["Connection"] = "close"
        message["headers"] = headers.raw


async def send_problem(send: Send, problem: ServiceProblem) -> None:
    """Send a problem as the whole response.

    Args:
        send: Sends a message to the client.
        problem: The problem.
    """
    headers, body = encode_problem(problem)
    with suppress(OSError):
        await send({"type": "http.response.start", "status": problem.kind.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def encode_problem(problem: ServiceProblem) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return a problem as the headers and the body of a response."""
    body = json.dumps(problem.to_dict(), ensure_ascii=False).encode()
    headers = [(b"content-type", PROBLEM_JSON.encode()), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in problem_headers(problem).items()]
    return headers, body


def problem_headers(problem: ServiceProblem) -> dict[str, str]:
    """Return the headers that go with a problem: when to come again, and how to show a key."""
    headers = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
    return headers | ({"WWW-Authenticate": "Bearer"} if problem.kind is ProblemKind.NO_KEY else {})


def _check_length(headers: Headers) -> None:
    """Check that a request says in one way alone where it ends: a proxy before us may have read the other one."""
    if "content-length" in headers and "transfer-encoding" in headers:
        detail = "Send either Content-Length or Transfer-Encoding, not both."
        raise ServiceProblemError(ProblemKind.MALFORMED, detail)


def _report(error: Exception) -> None:
    """Write to the service's own log where an error came from; its message may repeat what a client sent."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
    sys.stderr.write(f"A request failed with {type(error).__name__} at {places}\n")
