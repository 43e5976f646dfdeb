"""Notifications of S3: which objects a message in a queue speaks of, in whatever it was wrapped on its way."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

# A message of SNS holds one of S3, and nothing else nests deeper.
_DEEPEST = 3

EventObject = tuple[str, str]


def parse_message(body: str) -> tuple[EventObject, ...] | None:
    """Read a message of a queue: S3's own, or one that SNS or EventBridge handed on.

    Args:
        body: The message's text.

    Returns:
        Bucket and key of each object that was written or removed; none for S3's test; None for no message of S3.
    """
    return _parse(body, _DEEPEST)


def _parse(body: object, depth: int) -> tuple[EventObject, ...] | None:
    try:
        event = json.loads(body) if isinstance(body, str) else body
        if not isinstance(event, Mapping) or depth == 0:
            return None
        if event.get("Event") == "s3:TestEvent":
            return ()
        if event.get("source") == "aws.s3":
            return (_object(event["detail"], encoded=False),)
        if "Records" in event:
            return _records(event["Records"])
        return _parse(event["Message"], depth - 1) if event.get("Type") == "Notification" else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _records(records: Any) -> tuple[EventObject, ...] | None:  # noqa: ANN401 - whatever a message holds
    if not records or any(record["eventSource"] != "aws:s3" for record in records):
        return None
    return tuple(_object(record["s3"], encoded=True) for record in records)


def _object(told: Mapping[str, Any], *, encoded: bool) -> EventObject:
    bucket, key = str(told["bucket"]["name"]), str(told["object"]["key"])
    return bucket, unquote_plus(key) if encoded else key


def is_below(source: str, event_object: EventObject) -> bool:
    """Check whether an object lies in a source.

    Args:
        source: Address of the source.
        event_object: Bucket and key of the object.

    Returns:
        True where the source would list it.
    """
    bucket, key = event_object
    return f"s3://{bucket}/{key}".startswith(f"{source.rstrip('/')}/")
