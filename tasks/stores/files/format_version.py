"""Which format a store has, so that an older Pedigree does not spoil what a newer one wrote."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from configs.errors import InaccessibleError, PedigreeError
from tasks.stores.files import checksums
from tasks.stores.objects.object_store import ObjectChangedError, open_bucket

# Rises when a store of this code cannot be read by the code before it. 2: splits have places, and features views.
_FORMAT = 2
_FILE = "format.json"


def claim_format(url: str) -> None:
    """Write down the format of a store that has none yet; raise PedigreeError where a newer Pedigree made it."""
    if checksums.create(url, _FILE, json.dumps({"format": _FORMAT}).encode()):
        checksums.complete(url)
    check_format(url)


def check_format(url: str) -> None:
    """Raise PedigreeError where a newer or an older Pedigree made the store, or its format cannot be read."""
    try:
        level = int(json.loads(open_bucket(url).read(_FILE))["format"])
    except ObjectChangedError:
        return
    except (ValueError, KeyError, TypeError):
        raise PedigreeError(f"The file {_FILE} of the store {url} is damaged: put it back from a copy.") from None
    if level > _FORMAT:
        raise InaccessibleError(
            f"The store {url} was made by a newer Pedigree (format {level}, this one knows {_FORMAT}): update Pedigree."
        )
    if level < _FORMAT:
        raise InaccessibleError(
            f"The store {url} was made by an older Pedigree (format {level}, this one knows {_FORMAT}): name a new one."
        )


def reject_unknown_fields(kind: type[Any], plain: Mapping[str, Any], file: str, url: str) -> Mapping[str, Any]:
    """Return what a file says of a dataclass; raise InaccessibleError where it says more than this Pedigree knows.

    Args:
        kind: The dataclass that is to be made of it.
        plain: What was read.
        file: The file's key in the store.
        url: The store.

    Returns:
        ``plain`` itself, also where it lacks something: whoever makes the dataclass finds that out.

    Raises:
        InaccessibleError: A newer Pedigree wrote the file, which is sound.
    """
    known_fields = {field.name: field.default is MISSING and field.default_factory is MISSING for field in fields(kind)}
    more = plain.keys() - known_fields.keys()
    if more and all(name in plain for name, needed in known_fields.items() if needed):
        raise InaccessibleError(
            f"The file {file} in {url} was written by a newer Pedigree, which knows {min(more)}: update Pedigree."
        )
    return plain
