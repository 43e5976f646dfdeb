"""The format of a store: which Pedigree may read it and write to it."""

import json
from collections.abc import Mapping
from contextlib import suppress

from configs.errors import InaccessibleError, PedigreeError
from tasks.stores.files.checksums import Checksums
from tasks.stores.objects.object_store import Bucket, ObjectChangedError

# Rises when a store of this code cannot be read by the code before it. 2: splits have places, and features views.
# 3: some originals stay in their source; a store without such images stays one of format 2.
_FORMAT, _WITH_REFERENCES = 2, 3
_FILE = "format.json"
# A store whose JPEGs are measured by their brightness says so from its first day on; others decode them as a whole, so
# that measures and hashes of one store stay comparable to the last bit.
_MEASURED, _BRIGHTNESS = "measured", "brightness"


def claim(checksums: Checksums) -> None:
    """Write down the format of a store that has none yet; raise PedigreeError where a newer Pedigree made it."""
    # Where images lie already, the file was lost.
    is_new = not any(checksums.objects.entries("images.lance/"))
    if checksums.create(_FILE, _content(_FORMAT, {_MEASURED: _BRIGHTNESS} if is_new else {})):
        checksums.complete()
    check(checksums.objects)


def claim_references(checksums: Checksums) -> None:
    """Write down that originals may stay in their source, which a former Pedigree would take for damage."""
    said: dict[str, str] = {}
    with suppress(ObjectChangedError):
        written = json.loads(checksums.objects.read(_FILE))
        if written.pop("format") == _WITH_REFERENCES:
            return
        said = written
    checksums.forget([_FILE])
    checksums.objects.remove(_FILE)
    checksums.create(_FILE, _content(_WITH_REFERENCES, said))


def measures_brightness(objects: Bucket) -> bool:
    """Check whether a store's JPEGs are measured by their brightness alone, as those of a store that is new."""
    check(objects)
    with suppress(ObjectChangedError):
        return bool(json.loads(objects.read(_FILE)).get(_MEASURED) == _BRIGHTNESS)
    return False


def check(objects: Bucket) -> None:
    """Check that this Pedigree may read the store and write to it; one that has no format yet is new.

    Raises:
        InaccessibleError: A newer or an older Pedigree made the store.
        PedigreeError: Its format cannot be read.
    """
    try:
        level = int(json.loads(objects.read(_FILE))["format"])
    except ObjectChangedError:
        return
    except (ValueError, KeyError, TypeError):
        message = f"The file {_FILE} of the store {objects.url} is damaged: put it back from a copy."
        raise PedigreeError(message) from None
    if not _FORMAT <= level <= _WITH_REFERENCES:
        age, advice = ("a newer", "update Pedigree") if level > _FORMAT else ("an older", "name a new one")
        raise InaccessibleError(
            f"The store {objects.url} was made by {age} Pedigree (format {level}, this one knows {_FORMAT} and "
            f"{_WITH_REFERENCES}): {advice}."
        )


def _content(level: int, said: Mapping[str, str]) -> bytes:
    return json.dumps({"format": level, **said}).encode()
