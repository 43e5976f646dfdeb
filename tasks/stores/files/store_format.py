"""The format of a store: which Pedigree may read it and write to it."""

import json

from configs.errors import InaccessibleError, PedigreeError
from tasks.domain.hashing import sha256_of_bytes
from tasks.stores.files.checksums import Checksums
from tasks.stores.objects.object_store import Bucket, ObjectChangedError

# Rises when a store of this code cannot be read by the code before it, or must not be written by it. 2: splits have
# places, and features views. 3: some originals stay in their source. 4: JPEGs are measured by their brightness, and
# originals may stay in their source; in stores of a lower format they are decoded as a whole, so that measures and
# hashes of one store stay comparable to the last bit.
_COLOURS, _WITH_REFERENCES, _BRIGHTNESS = 2, 3, 4
_FILE = "format.json"


def claim(checksums: Checksums) -> None:
    """Write down the format of a store that has none yet; raise PedigreeError where a newer Pedigree made it."""
    if _read(checksums.objects) is None and checksums.create(_FILE, _content(_former(checksums))):
        checksums.complete()
    check(checksums.objects)


def claim_references(checksums: Checksums) -> None:
    """Write down that originals may stay in their source, which a former Pedigree would take for damage."""
    if (_read(checksums.objects) or _COLOURS) > _COLOURS:
        return
    checksums.forget([_FILE])
    checksums.objects.remove(_FILE)
    checksums.create(_FILE, _content(_WITH_REFERENCES))


def measures_brightness(objects: Bucket) -> bool:
    """Check whether a store's JPEGs are measured by their brightness alone, as those of a store that is new."""
    check(objects)
    return _read(objects) == _BRIGHTNESS


def check(objects: Bucket) -> None:
    """Check that this Pedigree may read the store and write to it; one that has no format yet is new.

    Raises:
        InaccessibleError: A newer or an older Pedigree made the store.
        PedigreeError: Its format cannot be read.
    """
    level = _read(objects)
    if level is not None and not _COLOURS <= level <= _BRIGHTNESS:
        age, advice = ("a newer", "update Pedigree") if level > _BRIGHTNESS else ("an older", "name a new one")
        raise InaccessibleError(
            f"The store {objects.url} was made by {age} Pedigree (format {level}, this one knows {_COLOURS} to "
            f"{_BRIGHTNESS}): {advice}."
        )


def _read(objects: Bucket) -> int | None:
    try:
        return int(json.loads(objects.read(_FILE))["format"])
    except ObjectChangedError:
        return None
    except (ValueError, KeyError, TypeError):
        message = f"The file {_FILE} of the store {objects.url} is damaged: put it back from a copy."
        raise PedigreeError(message) from None


def _former(checksums: Checksums) -> int:
    """Find the format of a store that says none: the highest of a new one, or what was lost, by its checksum."""
    sums = checksums.read(f"{_FILE}.").get(_FILE, set())
    known = (level for level in (_BRIGHTNESS, _WITH_REFERENCES) if sha256_of_bytes(_content(level)) in sums)
    # Where images lie and no checksum does, a Pedigree that wrote neither formats nor checksums made the store.
    is_new = not any(checksums.objects.entries("images.lance/"))
    return next(known, _BRIGHTNESS if is_new else _COLOURS)


def _content(level: int) -> bytes:
    return json.dumps({"format": level}).encode()
