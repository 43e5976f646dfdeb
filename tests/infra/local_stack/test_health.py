"""Requests to Prefect by plain HTTP, where its database is busy for a while."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from configs.errors import ServiceUnavailableError
from infra.local_stack import health


@contextmanager
def _busy(times: int) -> Iterator[tuple[str, list[str]]]:
    """Answer so many requests as Prefect does whose database is busy, then all; yield the address and what came."""
    came: list[str] = []

    class Busy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            status, body = (503, {"exception_message": "Service Unavailable"}) if len(came) <= times else (200, [])
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Busy)
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", came
    finally:
        server.shutdown()
        server.server_close()


def test_a_busy_database_of_prefect_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect leaves it to who asks to ask again: starting the stack would end there by chance."""
    monkeypatch.setattr(health, "_WAITS", (0, 0, 0))
    with _busy(2) as (url, came):
        health.crash_left_over_runs(url, {}, "pedigree")
    assert len(came) == 3
    assert len(set(came)) == 1


def test_a_database_of_prefect_that_stays_busy_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some waits the command says so, and a worker counts as not yet heard of."""
    monkeypatch.setattr(health, "_WAITS", (0, 0, 0))
    with _busy(99) as (url, _):
        with pytest.raises(ServiceUnavailableError, match="stays busy: try again in a minute"):
            health.crash_left_over_runs(url, {}, "pedigree")
        assert not health.worker_is_online(url, {}, "pedigree")
