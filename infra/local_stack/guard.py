"""The guard of the local servers: an ASGI app that lets only clients with the password in, and only by its own address.

A browser logs in by a link that works once: the link's token is exchanged for a session token, which the browser then
sends as the password of HTTP basic authentication. All ports of a machine share cookies, but not such a password.
"""

import base64
import hmac
import json
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

#: The page that a login link opens, where its token is exchanged, and where the owner requests such a link.
OPEN, SESSION, LINK = "/pedigree/open", "/pedigree/session", "/pedigree/link"
_LINK_LIFETIME = 600  # seconds
# Pages may load nothing from other hosts: Prefect's would call a host of its makers.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' {sockets}; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
_PAGE = """<!doctype html><meta charset="utf-8"><title>Pedigree</title><p>Opening …</p><script>
const word = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
fetch("{session}", {{method: "POST", body: word}}).then(async (answer) => {{
  const text = await answer.text();
  if (!answer.ok) {{ document.querySelector("p").textContent = text; return; }}
  const login = new XMLHttpRequest();
  login.open("GET", "/", true, "browser", text);
  login.onloadend = () => location.replace("/");
  login.send();
}});
</script>"""
_CLOSED = "Only the person who started this server may enter: run pedigree open.\n"
_USED = "This link was used already, or is older than ten minutes: run pedigree open again."


class Guard:
    """A server's ASGI app behind a login; without a password only a content security policy is added."""

    def __init__(self, app: App, address: str, password: str, *more: str) -> None:
        """Guard an app.

        Args:
            app: The server's app.
            address: The address at which it answers, such as http://127.0.0.1:4200.
            password: The password; empty lets everybody in.
            *more: Origins of other APIs that its pages may call.
        """
        self._app, self._password = app, password
        port = urlsplit(address).port
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        sockets = [f"ws://{host}" for host in sorted(self._hosts)]
        self._policy = _POLICY.format(sockets=" ".join([*sockets, *more])).encode()
        self._links: dict[str, float] = {}
        self._sessions: set[str] = set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on to the app, or answer it here.

        Args:
            scope: ASGI's description of the connection.
            receive: Awaits the next message of the client.
            send: Sends a message to the client.
        """
        if scope["type"] == "http":
            await self._http(scope, receive, self._with_policy(send))
        elif scope["type"] == "websocket" and self._password:
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        if not self._password:
            await self._app(scope, receive, send)
        elif not self._own_page(scope, headers):
            await _answer(send, 403, "This server answers its own pages at its own address only.\n")
        elif scope["path"] == OPEN:
            await _answer(send, 200, _PAGE.format(session=SESSION), "text/html; charset=utf-8")
        elif scope["path"] == SESSION:
            await self._exchange(receive, send)
        elif not self._knows(headers):
            await _answer(send, 401, _CLOSED)
        elif scope["path"] == LINK:
            await _answer(send, 200, self._new_link())
        else:
            await self._app(scope, receive, send)

    async def _websocket(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        if not self._own_page(scope, headers):
            await send({"type": "websocket.close", "code": 1008})
        elif self._knows(headers):
            await self._app(scope, receive, send)
        elif "prefect" in scope.get("subprotocols", ()):
            # Some of Prefect's clients send the password in their first message.
            await self._app(scope, self._introduced(receive), send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _introduced(self, receive: Receive) -> Receive:
        introduced = False

        async def checked() -> Message:
            nonlocal introduced
            message = await receive()
            if introduced or message["type"] != "websocket.receive":
                return message
            introduced = self._is_introduction(message.get("text") or "")
            return message if introduced else {"type": "websocket.disconnect", "code": 1008}

        return checked

    def _is_introduction(self, text: str) -> bool:
        try:
            message = json.loads(text)
            return message["type"] == "auth" and self._is_password(str(message["token"]).partition(":")[2])
        except (ValueError, KeyError, TypeError):
            return False

    def _own_page(self, scope: Message, headers: dict[str, str]) -> bool:
        """Return whether a request is addressed to this server, and does not come from a page of another one.

        Without an Origin header a browser only opens pages or loads images and the like. From other pages it may open a
        page here, as the links in messages do.

        Returns:
            Whether the request is allowed.
        """
        if headers.get("host") not in self._hosts:
            return False
        if "origin" in headers:
            return headers["origin"] == f"http://{headers['host']}"
        opened = scope.get("method") == "GET" and headers.get("sec-fetch-dest") == "document"
        return opened or headers.get("sec-fetch-site", "none") in {"none", "same-origin"}

    def _knows(self, headers: dict[str, str]) -> bool:
        kind, _, code = headers.get("authorization", "").partition(" ")
        try:
            word = base64.b64decode(code).decode().partition(":")[2] if kind.lower() == "basic" else ""
        except ValueError:
            return False
        return self._is_password(word) or word in self._sessions

    def _is_password(self, word: str) -> bool:
        return hmac.compare_digest(word.encode(), self._password.encode())

    def _new_link(self) -> str:
        word = secrets.token_urlsafe(32)
        self._links[word] = time.monotonic() + _LINK_LIFETIME
        return f"{OPEN}#{word}"

    async def _exchange(self, receive: Receive, send: Send) -> None:
        message = await receive()
        until = self._links.pop(message.get("body", b"").decode("ascii", "replace"), 0)
        if time.monotonic() > until:
            await _answer(send, 403, _USED)
            return
        session = secrets.token_urlsafe(32)
        self._sessions.add(session)
        await _answer(send, 200, session)

    def _with_policy(self, send: Send) -> Send:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The second header is for pages of other ports: a browser's cache would show them images unasked.
                more = [(b"content-security-policy", self._policy), (b"cross-origin-resource-policy", b"same-origin")]
                message["headers"] = [*message.get("headers", []), *more]
            await send(message)

        return sent


def _headers(scope: Message) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def _answer(send: Send, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
    headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store")]
    if status == 401:  # noqa: PLR2004 - HTTP's own number
        headers.append((b"www-authenticate", b'Basic realm="pedigree open"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
