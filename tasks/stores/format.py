"""Which format a store has, so that an older Pedigree does not spoil what a newer one wrote."""

import json

from configs.problems import Problem
from tasks.stores.bucket import Changed, open_bucket

# Rises when a store of this code cannot be read by the code before it. 2: splits have places, and features views.
_FORMAT = 2
_FILE = "format.json"


def claim_format(url: str) -> None:
    """Write down the format of a store that has none yet; raise Problem where a newer Pedigree made it."""
    open_bucket(url).create(_FILE, json.dumps({"format": _FORMAT}).encode())
    check_format(url)


def check_format(url: str) -> None:
    """Raise Problem where a newer or an older Pedigree made the store, or its format cannot be read."""
    try:
        found = json.loads(open_bucket(url).read(_FILE))["format"]
    except Changed:
        return
    except (ValueError, KeyError, TypeError):
        raise Problem(f"The file {_FILE} of the store {url} is damaged: put it back from a copy.") from None
    if found > _FORMAT:
        raise Problem(
            f"The store {url} was made by a newer Pedigree (format {found}, this one knows {_FORMAT}): update Pedigree."
        )
    if found < _FORMAT:
        raise Problem(
            f"The store {url} was made by an older Pedigree (format {found}, this one knows {_FORMAT}): name a new one."
        )
