"""A load generator on bare sockets, whose own work is a fifth of a millisecond a request.

Requests are written once and answers are hardly read, so that nearly all of two cores is left to what is measured.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# Connections of a flood: more than the service takes on, so that refusals do not wait for answers.
_CONNECTIONS = 96
_PATIENCE = 60


@dataclass
class Load:
    """What clients saw: seconds of each answer and of each refusal, requests that failed, and how long all took."""

    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    lost: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answered) / self.seconds


def share(times: Sequence[float], part: float) -> float:
    """Return the milliseconds that so large a part of the times does not exceed."""
    return 1000 * sorted(times)[int(part * (len(times) - 1))] if times else float("nan")


def write_request(body: bytes, kind: str = "image/png", path: str = "/v1/predict") -> bytes:
    """Write a request as it goes through the socket."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Client:
    """One connection, which is opened again where the other side has closed it."""

    def __init__(self, address: str) -> None:
        """Open nothing yet."""
        parts = urlsplit(address)
        self._place = parts.hostname or "", parts.port or 0
        self._socket: socket.socket | None = None

    def send(self, request: bytes) -> int:
        """Send a request and return the status of its answer."""
        if self._socket is None:
            self._socket = socket.create_connection(self._place, timeout=_PATIENCE)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._socket.sendall(request)
            status, closes = self._read(self._socket)
        except OSError:
            self.close()
            raise
        if closes:
            self.close()
        return status

    def close(self) -> None:
        """Close the connection."""
        if self._socket:
            self._socket.close()
        self._socket = None

    @staticmethod
    def _read(connection: socket.socket) -> tuple[int, bool]:
        data = b""
        while b"\r\n\r\n" not in data:
            data += _receive(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        missing = int(lines[b"content-length"]) - len(body)
        while missing > 0:
            missing -= len(_receive(connection))
        return int(head.split(b" ", 2)[1]), lines.get(b"connection") == b"close"


def _receive(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionResetError
    return data


def ask(
    address: str, requests: Sequence[bytes], clients: int, number: int, more: Callable[[], bool] = lambda: True
) -> Load:
    """Let clients ask one after the other, each as soon as it has its answer, so often or until there is no more."""
    load, numbers = Load(), iter(range(number))

    def ask_on() -> None:
        client = Client(address)
        for turn in numbers:
            if not more():
                break
            _ask_once(client, requests[turn % len(requests)], load, time.perf_counter())
        client.close()

    started = time.perf_counter()
    _run_all([ask_on] * clients)
    load.seconds = time.perf_counter() - started
    return load


def flood(address: str, requests: Sequence[bytes], rate: float, seconds: float) -> Load:
    """Send requests at a rate, whatever comes back; the time of each counts from when it was due."""
    load, started = Load(), time.perf_counter()
    due = ((turn, started + turn / rate) for turn in range(int(rate * seconds)))
    lock = threading.Lock()

    def ask_on() -> None:
        client = Client(address)
        while pair := _next(due, lock):
            time.sleep(max(0.0, pair[1] - time.perf_counter()))
            _ask_once(client, requests[pair[0] % len(requests)], load, pair[1])
        client.close()

    _run_all([ask_on] * _CONNECTIONS)
    load.seconds = time.perf_counter() - started
    return load


def _next(due: Iterator[tuple[int, float]], lock: threading.Lock) -> tuple[int, float] | None:
    with lock:
        return next(due, None)


def _run_all(work: Sequence[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(len(work)) as pool:
        for future in [pool.submit(part) for part in work]:
            future.result()


def _ask_once(client: Client, request: bytes, load: Load, since: float) -> None:
    status = 0
    with suppress(OSError):
        status = client.send(request)
    seconds = time.perf_counter() - since
    if status == 0:
        load.lost += 1
    else:
        (load.answered if status == 200 else load.refused).append(seconds)
