"""A server that speaks just enough SQS, by AWS's JSON protocol, for a real client to receive and delete messages."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any
from uuid import uuid4


@dataclass
class Queue:
    """Messages by their handles: those that wait, and those that somebody has received and not deleted.

    Attributes:
        refusal: The code of the error that every request gets; empty for none.
        requests: The name of each request, in their order.
    """

    waiting: dict[str, str] = field(default_factory=dict)
    received: dict[str, str] = field(default_factory=dict)
    refusal: str = ""
    requests: list[str] = field(default_factory=list)
    changed: Condition = field(default_factory=Condition)

    def send(self, *bodies: str) -> None:
        """Put messages into the queue."""
        with self.changed:
            for body in bodies:
                self.waiting[uuid4().hex] = body
            self.changed.notify_all()

    def time_out(self) -> None:
        """Let what was received and not deleted be received again."""
        with self.changed:
            self.waiting |= self.received
            self.received.clear()
            self.changed.notify_all()

    def answer(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer one request."""
        with self.changed:
            self.requests.append(name)
            if name == "DeleteMessageBatch":
                handles = {entry["Id"]: entry["ReceiptHandle"] for entry in asked["Entries"]}
                for handle in handles.values():
                    self.received.pop(handle, None)
                return {"Successful": [{"Id": number} for number in handles], "Failed": []}
            if not self.waiting:
                self.changed.wait(min(asked["WaitTimeSeconds"], 20))
            first = list(self.waiting)[: asked["MaxNumberOfMessages"]]
            self.received |= {handle: self.waiting.pop(handle) for handle in first}
            return {"Messages": [_message(handle, self.received[handle]) for handle in first]} if first else {}


def _message(handle: str, body: str) -> dict[str, str]:
    digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
    return {"MessageId": handle, "ReceiptHandle": handle, "MD5OfBody": digest, "Body": body}


@contextmanager
def sqs_server() -> Iterator[tuple[str, Queue]]:
    """Run the server, and yield the address of its only queue, and the queue."""
    queue = Queue()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = 200, {}
            if queue.refusal:
                status, answer = 400, {"__type": f"com.amazonaws.sqs#{queue.refusal}", "message": "Not so."}
            else:
                answer = queue.answer(self.headers["X-Amz-Target"].partition(".")[2], asked)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/123456789012/uploads", queue
    finally:
        queue.send()
        server.shutdown()
        server.server_close()
