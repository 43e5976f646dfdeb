"""A queue of S3's notifications (SQS): whoever waits for uploads is woken by it, and learns nothing else from it.

Messages come twice, late, in any order or never, so that only a listing tells what a source holds.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from configs.errors import PedigreeError
from tasks.domain.ingestion.upload_events import is_below, parse_message
from tasks.stores.objects.s3_client import queue_client
from tasks.stores.objects.s3_errors import sentences

# SQS hands out and deletes ten messages at once, and answers after twenty seconds if none came.
_AT_ONCE, _LONG_POLL = 10, 20
# Messages that are taken before one look: those that are left wake the next one.
_MOST = 1000
# Seconds between two looks while uploads go on, since each is a whole listing.
_PAUSE = 30.0
_REGION = re.compile(r"sqs\.([a-z0-9-]+)\.amazonaws\.")


@dataclass
class EventQueue:
    """One queue, and what was received from it and not yet deleted.

    Attributes:
        url: Its address.
        source: Address of the source whose uploads count.
        report: What to do with the sentence that the queue cannot be read; it is said once.
        pause: Seconds between two looks that messages cause.
    """

    url: str
    source: str
    report: Callable[[str], object]
    pause: float = _PAUSE
    _received: list[str] = field(default_factory=list)
    _woken: bool = False
    _reported: bool = False

    def wait(self, seconds: float) -> bool:
        """Wait until a message tells of the source, or for so many seconds.

        Args:
            seconds: The longest time to wait.

        Returns:
            Whether a message told of the source.
        """
        end = time.monotonic() + seconds
        if self._woken:
            time.sleep(min(self.pause, seconds))
        self._woken = False
        try:
            with sentences(self.url):
                self._woken = self._receive(queue_client(*_endpoint(self.url)), end)
            self._reported = False
        except PedigreeError as problem:
            self._say(str(problem))
        if not self._woken:
            time.sleep(max(0.0, end - time.monotonic()))
        return self._woken

    def confirm(self) -> None:
        """Delete what was received, once the source was looked at; messages that are not deleted come again."""
        try:
            with sentences(self.url):
                while self._received:
                    batch = self._received[:_AT_ONCE]
                    entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(batch)]
                    queue_client(*_endpoint(self.url)).delete_message_batch(QueueUrl=self.url, Entries=entries)
                    del self._received[:_AT_ONCE]
        except PedigreeError as problem:
            self._received.clear()
            self._say(str(problem))

    def _receive(self, client: Any, end: float) -> bool:  # noqa: ANN401 - boto3 has no types of it here
        """Receive messages until one tells of the source and no other one waits behind it."""
        woken = False
        while len(self._received) < _MOST:
            remaining = end - time.monotonic()
            patience = 0 if woken or remaining <= 0 else min(_LONG_POLL, max(1, int(remaining)))
            answer = client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=_AT_ONCE, WaitTimeSeconds=patience)
            messages = answer.get("Messages", [])
            for message in messages:
                woken |= self._take(message["Body"], message["ReceiptHandle"])
            if not messages and (woken or remaining <= 0):
                break
        return woken

    def _take(self, body: str, handle: str) -> bool:
        """Keep a message of S3 for deletion; return whether it tells of the source."""
        objects = parse_message(body)
        if objects is None:
            self._say(f"The queue {self.url} holds messages that are not S3's: they are left there.")
            return False
        self._received.append(handle)
        return any(is_below(self.source, event_object) for event_object in objects)

    def _say(self, problem: str) -> None:
        if not self._reported:
            self.report(f"{problem} The source is looked at all the same, at the usual times (watch.queue).")
        self._reported = True


def _endpoint(url: str) -> tuple[str, str]:
    """Return the server of a queue, and its region where the server's name tells it."""
    parts = urlsplit(url)
    region = _REGION.search(parts.netloc)
    return f"{parts.scheme}://{parts.netloc}", region[1] if region else ""
