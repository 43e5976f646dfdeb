"""Notifications of S3 in all that they are wrapped in, and messages that are none."""

import json

import pytest

from tasks.domain.ingestion.upload_events import is_below, parse_message

RECORD = {
    "eventSource": "aws:s3",
    "eventName": "ObjectCreated:Put",
    "s3": {"bucket": {"name": "dogs"}, "object": {"key": "in/a+b%2B%D0%BF.jpg"}},
}
S3 = json.dumps({"Records": [RECORD, {**RECORD, "eventName": "ObjectRemoved:Delete"}]})
SNS = json.dumps({"Type": "Notification", "Message": S3})
BRIDGE = json.dumps(
    {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "dogs"}, "object": {"key": "in/a+b.jpg"}},
    }
)
TEST = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "dogs"})


@pytest.mark.parametrize(
    ("body", "objects"),
    [
        (S3, (("dogs", "in/a b+п.jpg"),) * 2),
        (SNS, (("dogs", "in/a b+п.jpg"),) * 2),
        (BRIDGE, (("dogs", "in/a+b.jpg"),)),
        (TEST, ()),
        (json.dumps({"Type": "Notification", "Message": TEST}), ()),
    ],
)
def test_a_notification_names_its_objects(body: str, objects: tuple[tuple[str, str], ...]) -> None:
    """S3's own messages, those of SNS and of EventBridge name bucket and key; S3's test names none."""
    assert parse_message(body) == objects


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "[" * 100_000,
        "[]",
        "7",
        '"x"',
        json.dumps({"Records": []}),
        json.dumps({"Records": [{"eventSource": "aws:ses", "ses": {}}]}),
        json.dumps({"Records": [{"eventSource": "aws:s3"}]}),
        json.dumps({"source": "aws.s3", "detail": {}}),
        json.dumps({"source": "aws.ec2", "detail": {}}),
        json.dumps({"Type": "Notification", "Message": "hello"}),
        json.dumps({"Type": "SubscriptionConfirmation", "Message": S3}),
    ],
)
def test_what_is_no_notification_is_told_apart(body: str) -> None:
    """Messages of other services and garbage are none of S3, whatever they look like."""
    assert parse_message(body) is None


@pytest.mark.parametrize(
    ("source", "below"), [("s3://dogs", True), ("s3://dogs/in/", True), ("s3://dogs/i", False), ("s3://dog", False)]
)
def test_an_object_belongs_to_its_source(source: str, below: bool) -> None:
    """An object counts for a source where it lies below its address."""
    assert is_below(source, ("dogs", "in/1.jpg")) is below
