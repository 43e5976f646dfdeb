"""Whoever is told something: a web address and a mail server of this machine that keep what they are sent."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, TCPServer, ThreadingTCPServer
from typing import Any


@dataclass(slots=True)
class Received:
    """What came: the port to send to, each call as path and JSON, each letter, and who logged in to send them."""

    port: int = 0
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    letters: list[EmailMessage] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)


@contextmanager
def web_receiver() -> Iterator[Received]:
    """Take every POST."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802 - the library's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.calls.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler), received):
        yield received


@contextmanager
def mail_receiver() -> Iterator[Received]:
    """Speak as much SMTP as it takes to log in and to hand in a letter."""
    received = Received()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline().decode().strip():
                command, _, rest = line.partition(" ")
                getattr(self, command.lower(), self.fine)(rest)
                if command == "QUIT":
                    return

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def fine(self, _: str) -> None:
            self.say("250 fine")

        def ehlo(self, _: str) -> None:
            self.say("250-here\r\n250 AUTH PLAIN")

        def auth(self, rest: str) -> None:
            received.logins.append(base64.b64decode(rest.split()[-1]).decode())
            self.say("235 welcome")

        def data(self, _: str) -> None:
            self.say("354 go on")
            lines = list(iter(self.rfile.readline, b".\r\n"))
            received.letters.append(message_from_bytes(b"".join(lines), policy=policy.default))
            self.say("250 kept")

    with _serving(ThreadingTCPServer(("127.0.0.1", 0), Handler), received):
        yield received


@contextmanager
def _serving(server: TCPServer, received: Received) -> Iterator[None]:
    received.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
