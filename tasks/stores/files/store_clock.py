"""The clock of a store: what its disk or server calls now, since the clocks of machines that share it may differ."""

from datetime import datetime, timedelta
from uuid import uuid4

from tasks.stores.objects.object_store import Bucket


def store_time(objects: Bucket) -> datetime:
    """Return the time that the store gives to a file which is written now."""
    key = f"claims/clock-{uuid4().hex}"
    objects.create(key, b"")
    try:
        (entry,) = objects.entries(key)
    finally:
        objects.remove(key)
    return datetime.fromisoformat(entry.modified)


def age(modified: str, now: datetime) -> timedelta:
    """Return how long ago a file was written.

    Args:
        modified: When that was, as the store lists it.
        now: The store's time.

    Returns:
        The difference, by the store's own clock.
    """
    return now - datetime.fromisoformat(modified)
