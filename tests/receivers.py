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
from typing import Any, ClassVar


@dataclass(slots=True)
class Received:
    """What came: the port to send to, each call as path and JSON, each letter, and who logged in to send them."""

    port: int = 0
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    letters: list[EmailMessage] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)


class _Web(BaseHTTPRequestHandler):
    """Take every POST."""

    received: ClassVar[Received]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.calls.append((self.path, json.loads(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


class _Mail(StreamRequestHandler):
    """Speak as much SMTP as it takes to log in and to hand in a letter."""

    received: ClassVar[Received]

    def handle(self) -> None:
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            command, _, rest = line.partition(" ")
            getattr(self, f"on_{command.lower()}", self.fine)(rest)
            if command == "QUIT":
                return

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def fine(self, _: str) -> None:
        self.say("250 fine")

    def on_ehlo(self, _: str) -> None:
        self.say("250-here\r\n250 AUTH PLAIN")

    def on_auth(self, rest: str) -> None:
        self.received.logins.append(base64.b64decode(rest.partition(" ")[2]).decode())
        self.say("235 welcome")

    def on_data(self, _: str) -> None:
        self.say("354 go on")
        lines = list(iter(self.rfile.readline, b".\r\n"))
        self.received.letters.append(message_from_bytes(b"".join(lines), policy=policy.default))
        self.say("250 kept")


@contextmanager
def web_receiver() -> Iterator[Received]:
    """Run a web server that keeps what is posted to it."""
    received = Received()
    handler = type("Handler", (_Web,), {"received": received})
    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), handler), received):
        yield received


@contextmanager
def mail_receiver() -> Iterator[Received]:
    """Run a mail server that keeps each letter."""
    received = Received()
    handler = type("Handler", (_Mail,), {"received": received})
    with _serving(ThreadingTCPServer(("127.0.0.1", 0), handler), received):
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
