"""A queue of notifications, by the real client against a server that speaks SQS: a hint, and nothing more."""

import json
from collections.abc import Iterator

import pytest

from configs.errors import SettingsError
from configs.load import parse_settings
from tasks.stores.objects.s3_client import queue_client, s3_client
from tasks.watching.event_queue import EventQueue
from tests.sqs_stub import Queue, sqs_server

SOURCE = "s3://dogs/in"


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[EventQueue, Queue, list[str]]]:
    """Watched queue without messages, its server's own view of it, and the sentences that were said."""
    for name, value in {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    s3_client.cache_clear()
    queue_client.cache_clear()
    messages: list[str] = []
    with sqs_server() as (url, server):
        yield EventQueue(url, SOURCE, messages.append, pause=0), server, messages
    s3_client.cache_clear()
    queue_client.cache_clear()


def notification(key: str) -> str:
    """Make a message of S3 about an object of the bucket dogs."""
    record = {"eventSource": "aws:s3", "s3": {"bucket": {"name": "dogs"}, "object": {"key": key}}}
    return json.dumps({"Records": [record]})


def test_uploads_end_the_waiting_at_once(queue: tuple[EventQueue, Queue, list[str]]) -> None:
    """However many messages there are, doubled ones too, they wake once, and are deleted only after the look."""
    watched, server, messages = queue
    server.send(*(notification(f"in/{number % 20}.jpg") for number in range(25)), '{"Event": "s3:TestEvent"}')
    assert watched.wait(3600)
    assert (len(server.received), server.requests.count("DeleteMessageBatch")) == (26, 0)
    watched.confirm()
    assert (server.waiting, server.received, messages) == ({}, {}, [])
    assert not watched.wait(0.1)


def test_messages_of_a_look_that_failed_come_again(queue: tuple[EventQueue, Queue, list[str]]) -> None:
    """Who dies before a look ends has deleted nothing, and whoever waits next is woken by the same messages."""
    watched, server, _ = queue
    server.send(notification("in/1.jpg"))
    assert watched.wait(3600)
    server.time_out()
    other = EventQueue(watched.url, SOURCE, print, pause=0)
    assert other.wait(3600)
    other.confirm()
    assert server.received == {}


def test_other_messages_wake_nobody(queue: tuple[EventQueue, Queue, list[str]]) -> None:
    """Objects beside the source and S3's test wake nobody and are deleted; what is not S3's is left, and told once."""
    watched, server, messages = queue
    server.send(notification("out/1.jpg"), '{"Event": "s3:TestEvent"}', "hello", '{"order": 7}')
    assert not watched.wait(0.2)
    watched.confirm()
    assert sorted(server.received.values()) == ["hello", '{"order": 7}']
    assert len(messages) == 1
    assert "holds messages that are not S3's" in messages[0]


@pytest.mark.parametrize("refusal", ["QueueDoesNotExist", "AccessDeniedException"])
def test_a_queue_that_cannot_be_read_is_told_once(queue: tuple[EventQueue, Queue, list[str]], refusal: str) -> None:
    """A queue that is missing or closed costs one line; when it is back, uploads wake again."""
    watched, server, messages = queue
    server.refusal = refusal
    assert [watched.wait(0.05), watched.wait(0.05)] == [False, False]
    watched.confirm()
    assert len(messages) == 1
    assert watched.url in messages[0]
    assert "The source is looked at all the same" in messages[0]
    assert "\n" not in messages[0]
    server.refusal = ""
    server.send(notification("in/1.jpg"))
    assert watched.wait(3600)


def test_a_queue_is_named_by_its_address() -> None:
    """A name alone is no address of a queue."""
    values = {"source": {"url": "s3://dogs"}, "store": {"url": "store"}, "watch": {"queue": "uploads"}}
    with pytest.raises(SettingsError, match=r"watch\.queue"):
        parse_settings(values, "test")
