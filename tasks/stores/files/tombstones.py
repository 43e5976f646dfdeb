"""Images that somebody removed for good: a note stays, the bytes never come back."""

import json
from collections.abc import Collection

from tasks.stores.files import checksums
from tasks.stores.objects.object_store import open_bucket

_FOLDER = "forgotten/"


def write_tombstone(url: str, image: str, time: str) -> bool:
    """Write down that an image was removed at a time (ISO 8601); return False when that was written before."""
    return checksums.create(url, f"{_FOLDER}{image}.json", json.dumps({"image": image, "time": time}).encode())


def read_tombstones(url: str) -> set[str]:
    """Name the images that were removed for good."""
    keys = [entry.key for entry in open_bucket(url).entries(_FOLDER)]
    return {key.removeprefix(_FOLDER).removesuffix(".json") for key in keys}


def describe_tombstones(url: str, version: str, images: Collection[str]) -> str:
    """Say in one sentence which of a version's images were removed for good; nothing where none was."""
    gone = sorted(read_tombstones(url) & set(images))
    if not gone:
        return ""
    notes = [json.loads(open_bucket(url).read(f"{_FOLDER}{image}.json")) for image in gone]
    named = ", ".join(f"{note['image'][:12]} on {note['time'][:10]}" for note in notes[:3])
    more = f" and {len(notes) - 3:,} more" if len(notes) > 3 else ""  # noqa: PLR2004
    used = "an image that was" if len(notes) == 1 else f"{len(notes):,} images that were"
    return f"Version {version[:12]} used {used} removed for good ({named}{more}), so it cannot be rebuilt as it was."
