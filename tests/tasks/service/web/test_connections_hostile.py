"""Clients that mean no good are told so or let go, and a good request is answered beside them."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from io import BytesIO
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from tasks.service.server import Service
from tests.servers import wait_until
from tests.tasks.service.champions import ChampionStore, ask, ready, serving

Served = tuple[Service, httpx.Client]


@pytest.fixture
def served(champions: ChampionStore) -> Iterator[Served]:
    """Service that waits half a second for heads and bodies, and decodes for a second."""
    champions.promote(champions.head(1))
    with serving(champions, body_seconds=0.5, decode_seconds=1, max_megabytes=1, queue=2) as pair:
        wait_until(lambda: ready(pair[1]), 60, "a model", pause=0.05)
        yield pair


def problem(received: bytes) -> tuple[int, str]:
    """Return the status and the kind of a problem that came over a connection."""
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"\r\ncontent-type: application/problem+json\r\n" in head.lower()
    plain = json.loads(body)
    assert int(head.split()[1]) == plain["status"]
    return plain["status"], plain["type"].rpartition(":")[2]


def converse(client: httpx.Client, *parts: bytes, close: bool = False, ends: bool = False) -> bytes:
    """Send bytes as they are, and return all that comes back until the other side closes."""
    address = urlsplit(str(client.base_url))
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
        if close:
            return b""
        if ends:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        # Where more was sent than was read, the other side's system breaks the connection.
        with suppress(ConnectionResetError):
            while data := connection.recv(65536):
                received += data
        return received


def many_scans(picture: Image.Image, times: int) -> bytes:
    """Write a JPEG whose last scan is repeated so many times."""
    sink = BytesIO()
    picture.save(sink, "JPEG", progressive=True)
    data = sink.getvalue()
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2] * times + data[-2:]


def head(*lines: str) -> bytes:
    """Write the head of a request for an answer."""
    return "\r\n".join(["POST /v1/predict HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def test_slow_false_and_vanishing_clients_are_let_go(served: Served, champions: ChampionStore) -> None:
    """Half a head, half a body, a lie about the length, no HTTP at all: closed or told, and nothing is left over."""
    service, client = served
    assert converse(client, b"POST /v1/pre") == b""
    assert b" 408 " in converse(client, head("Content-Type: image/png", "Content-Length: 100"), b"x")
    assert b" 413 " in converse(client, head("Content-Type: image/png", "Content-Length: 99999999999"))
    for nonsense in (
        head("Content-Length: -1"),
        head("Content-Length: 5", "Transfer-Encoding: chunked") + b"5\r\nabcde\r\n0\r\n\r\n",
        head("Content-Type: image/png", "Transfer-Encoding: chunked") + b"zz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        head("Content-Type: image/png", "Content-Length: 10") + champions.files[0],
    ):
        assert problem(converse(client, nonsense)) == (400, "malformed")
    assert problem(converse(client, head(f"X-Long: {'x' * 600_000}"))) == (431, "long-head")
    cut_off = head("Content-Type: image/png", "Content-Length: 100") + b"x"
    assert problem(converse(client, cut_off, ends=True)) == (400, "malformed")
    chunked = head("Content-Type: image/png", "Transfer-Encoding: chunked")
    assert b" 408 " in converse(client, chunked, b"5\r\nabcde\r\n")
    data = champions.files[0]
    request_head = head("Content-Type: image/png", f"Content-Length: {len(data)}")
    for _ in range(8):
        converse(client, request_head, data, close=True)
        converse(client, request_head, data[:50], close=True)
    expected = champions.expected(champions.head(1))[data]
    wait_until(lambda: ask(client, data).status_code == 200, 10, "room for a good request", pause=0.05)
    assert ask(client, data).json()["probabilities"] == expected
    wait_until(lambda: service.state.answering.present == 0, 10, "the end of all work", pause=0.05)
    assert service.state.memory.held == 0


def test_what_is_no_body_fills_no_memory(served: Served) -> None:
    """A head without end, a trailer without end and a thousand requests at once end their connection, and no other."""
    _, client = served
    line, get = b"X-A: " + b"a" * 1000 + b"\r\n", b"GET /live HTTP/1.1\r\nHost: localhost\r\n"
    chunked = head("Content-Type: image/png", "Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\n"
    for start in (get, chunked):
        with pytest.raises(OSError, match=r"reset|Broken"):
            converse(client, start, *[line] * 100_000)
    with suppress(ConnectionError):
        assert converse(client, (get + b"\r\n") * 1000).count(b"HTTP/1.1") < 100
    assert client.get("/live").status_code == 200


def test_a_full_queue_refuses_at_once_and_says_when_to_come_again(served: Served, champions: ChampionStore) -> None:
    """While as many photographs are there as fit, another request gets 503 with Retry-After, also with a large body."""
    service, client = served
    answering = service.state.answering
    answering._change_present(answering.most)
    started = time.monotonic()
    # A client that is still sending when it is refused would see a broken connection, and not why.
    refused = ask(client, champions.files[0] + bytes(900_000))
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:pedigree:problem:busy")
    assert int(refused.headers["retry-after"]) >= 1
    assert time.monotonic() - started < 5
    answering._change_present(-answering.most)
    assert ask(client, champions.files[0]).status_code == 200


def test_pictures_that_are_traps_are_told_apart(served: Served, champions: ChampionStore) -> None:
    """A bomb is refused by its header, an animation and a narrow strip have their own answer, and nothing hangs."""
    _, client = served
    reasons = {}
    for name, picture, kind in (
        ("bomb", Image.new("1", (20_000, 20_000)), "PNG"),
        ("strip", Image.new("RGB", (4000, 40)), "PNG"),
        ("tiny", Image.new("RGB", (4, 4)), "PNG"),
    ):
        sink = BytesIO()
        picture.save(sink, kind)
        reasons[name] = ask(client, sink.getvalue()).json()["reason"]
    assert reasons == {"bomb": "too-many-pixels", "strip": "too-narrow", "tiny": "too-small"}
    # Each scan is a pass over all of the picture.
    endless = many_scans(Image.new("L", (1000, 1000), 127), 10_000)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, client, endless, "image/jpeg")
        assert ask(client, champions.files[0]).status_code == 200
        refused = slow.result().json()
        assert (refused["reason"], refused["detail"][-8:]) == ("too-slow-to-decode", " pixels.")
    assert ask(client, champions.files[0]).status_code == 200


def test_clients_that_say_nothing_keep_nobody_out(served: Served, champions: ChampionStore) -> None:
    """However many connections wait, a new one is answered: the one that has waited longest is let go for it."""
    _, client = served
    address = urlsplit(str(client.base_url))
    with ExitStack() as stack:
        for _ in range(1100):
            silent = socket.create_connection((address.hostname or "", address.port or 0), timeout=30)
            stack.enter_context(silent)
        assert ask(client, champions.files[0]).status_code == 200
