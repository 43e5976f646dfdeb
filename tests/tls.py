"""What stands between Pedigree and a server in some places: TLS with a CA of one's own, a proxy, or no server."""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar
from zlib import crc32

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# What concerns one connection alone, and is not handed on.
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}


def make_ca(folder: Path, address: str = "127.0.0.1") -> tuple[Path, Path]:
    """Make a CA and a certificate of it for an IP address: the CA's file, and the server's with its key."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a CA of one's own")])
    ca = _certificate(name, name, ca_key, ca_key, x509.BasicConstraints(ca=True, path_length=None))
    host = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
    server = _certificate(host, name, key, ca_key, names)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (folder / "server.pem").write_bytes(server.public_bytes(serialization.Encoding.PEM) + secret)
    return folder / "ca.pem", folder / "server.pem"


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signing: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=1)).add_extension(extension, critical=True)
    return builder.sign(signing, hashes.SHA256())


@contextmanager
def tls_in_front(endpoint: str, server: Path) -> Iterator[str]:
    """Speak TLS with this certificate, hand everything on to a server without it, and yield the address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)
    host, _, port = endpoint.removeprefix("http://").partition(":")

    def answer(plain: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(plain, server_side=True) as near:
            join(near, socket.create_connection((host, int(port))))

    with _listening(answer) as listener:
        yield f"https://127.0.0.1:{listener}"


@contextmanager
def proxy() -> Iterator[tuple[str, list[str]]]:
    """Run an HTTPS proxy; yield its address, and the list of the places that it was asked for."""
    requests: list[str] = []

    def answer(near: socket.socket) -> None:
        with suppress(OSError), near:
            head = near.recv(65536).decode("latin-1")
            target = head.split(" ")[1]
            requests.append(target)
            host, _, port = target.partition(":")
            near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            join(near, socket.create_connection((host, int(port))))

    with _listening(answer) as listener:
        yield f"http://127.0.0.1:{listener}", requests


@contextmanager
def passing_on(endpoint: str, port: int) -> Iterator[None]:
    """Pass all on that comes to a port to a server."""
    host, _, far = endpoint.removeprefix("http://").partition(":")

    def answer(near: socket.socket) -> None:
        with suppress(OSError), near:
            join(near, socket.create_connection((host, int(far))))

    with _listening(answer, port):
        yield


def join(near: socket.socket, far: socket.socket) -> None:
    """Hand on what either side says until one of them ends."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    with far:
        back = threading.Thread(target=copy, args=(far, near), daemon=True)
        back.start()
        copy(near, far)
        back.join()


@contextmanager
def busy_in_front(endpoint: str) -> Iterator[tuple[str, list[str]]]:
    """Refuse half of all requests with 503 the first time that they come, and hand the others on to a server.

    Yields the address, and the list of what was refused.
    """
    refused, seen = list[str](), set[str]()

    class Busy(_HandingOn):
        host = endpoint.removeprefix("http://")

        def _answer(self) -> None:
            body = self._read_body()
            request = f"{self.command} {self.path}"
            is_refused = request not in seen and crc32(request.encode()) % 2 == 0
            seen.add(request)
            if is_refused:
                refused.append(request)
                self._reply(503, {}, b"<Error><Code>SlowDown</Code><Message>Please reduce your rate.</Message></Error>")
                return
            self._reply(*self._ask(body))

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _answer  # noqa: N815 - names of the standard library

    with _serving(Busy) as address:
        yield address, refused


@contextmanager
def losing_answers(endpoint: str, question: bytes) -> Iterator[tuple[str, list[str]]]:
    """Hand requests on to a server, and lose its answer to the first that holds the question: 503 in its place.

    Yields the address, and the list of what was lost.
    """
    lost: list[str] = []

    class Losing(_HandingOn):
        host = endpoint.removeprefix("http://")

        def _answer(self) -> None:
            body = self._read_body()
            answer = self._ask(body)
            if question in body and not lost:
                lost.append(f"{self.command} {self.path}")
                answer = (503, {"Retry-After": "0"}, b"")
            self._reply(*answer)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = do_PATCH = _answer  # noqa: N815 - names of the standard library

    with _serving(Losing) as address:
        yield address, lost


class _HandingOn(BaseHTTPRequestHandler):
    """Hand a request on to another server."""

    protocol_version = "HTTP/1.1"
    host: ClassVar[str]

    def _read_body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        far = HTTPConnection(self.host)
        far.request(self.command, self.path, body, dict(self.headers))
        answer = far.getresponse()
        content = answer.read()
        far.close()
        return answer.status, dict(answer.getheaders()), content

    def _reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response_only(status)
        kept = {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
        for name, value in ({"Content-Length": str(len(body))} | kept).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def answering(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run a web server that gives every question the same answer, and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        extra_headers: ClassVar[Mapping[str, str]] = headers or {}

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response_only(status)
            for name, value in {"Content-Length": str(len(body)), **self.extra_headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - names that the base class looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with _serving(Handler) as address:
        yield address


@contextmanager
def _listening(answer: "object", port: int = 0) -> Iterator[int]:
    """Answer each connection in a thread of its own, and yield the port."""
    listener = socket.create_server(("127.0.0.1", port))

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()  # type: ignore[arg-type]

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
