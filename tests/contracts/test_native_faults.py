"""Faults of a server while the native client reads: boto3 tries again, and its sentences are what people see."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from configs.errors import ServiceUnavailableError
from tasks.stores.objects import s3_client as client_module
from tasks.stores.objects import s3_native
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.objects.s3_client import s3_client

DATA = b"a photograph"
BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class Faulty(BaseHTTPRequestHandler):
    """Answers some requests with a fault, in the order of ``faults``, and the others with the object."""

    protocol_version = "HTTP/1.1"
    faults: list[str]
    agents: list[str]

    def do_GET(self) -> None:
        """Answer with the next fault, or with the object."""
        self.agents.append(self.headers.get("User-Agent", ""))
        fault = self.faults.pop(0) if self.faults else ""
        body = BUSY if fault == "busy" else DATA
        self.send_response(503 if fault == "busy" else 200)
        self.send_header("Content-Length", str(len(body) + (100 if fault == "cut" else 0)))
        self.send_header("Content-Type", "application/xml" if fault == "busy" else "image/jpeg")
        if fault != "page":
            self.send_header("ETag", '"other"' if fault == "other" else '"abc"')
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = fault == "cut"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Faulty]]:
    """Server whose class says what is to go wrong."""
    kind = type("Kind", (Faulty,), {"faults": [], "agents": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    Thread(target=server.serve_forever, daemon=True).start()
    values = {"ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "REGION": "us-east-1"}
    for name, value in {**values, "ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    # botocore waits longer from try to try.
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    s3_client.cache_clear()
    yield kind
    s3_client.cache_clear()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("faults", "agents"),
    [
        ([], ["obstore"]),
        (["busy"], ["obstore", "boto3"]),
        (["busy", "busy", "busy"], ["obstore", "boto3", "boto3", "boto3"]),
        (["cut"], ["obstore", "boto3"]),
        (["other"], ["obstore", "boto3"]),
        (["page"], ["obstore", "boto3"]),
    ],
)
def test_what_may_pass_is_tried_again(faulty: type[Faulty], faults: list[str], agents: list[str]) -> None:
    """A busy server, a body that was cut off, another object and a page end with boto3's answer, after its tries."""
    faulty.faults = list(faults)
    assert open_bucket("s3://dogs").read("a.jpg", "abc") == DATA
    assert [name for agent in faulty.agents for name in ("obstore", "boto3") if name in agent] == agents


def test_a_server_that_stays_busy_is_an_outage(faulty: type[Faulty]) -> None:
    """The native client tries once, and after boto3's own tries it is told that the server is too busy."""
    faulty.faults = ["busy"] * 9
    with pytest.raises(ServiceUnavailableError, match=r"refused a request for s3://dogs: SlowDown Please reduce"):
        open_bucket("s3://dogs").read("a.jpg", "abc")
    assert ["obstore" in agent for agent in faulty.agents] == [True, False, False, False, False, False]


def test_a_server_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch, faulty: type[Faulty]) -> None:
    """The native client waits for the next bytes no longer than boto3 does."""
    monkeypatch.setattr(s3_native, "TIMEOUTS", (1, 0.2))
    monkeypatch.setattr(client_module, "TIMEOUTS", (1, 0.2))
    waiting = ThreadingHTTPServer.process_request
    monkeypatch.setattr(ThreadingHTTPServer, "process_request", lambda *_: None)
    assert faulty.agents == []
    assert s3_native.fetch(s3_client(), "dogs", "a.jpg") is None
    monkeypatch.setattr(ThreadingHTTPServer, "process_request", waiting)
