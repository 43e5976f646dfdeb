"""How many cores this process uses."""

import os

from configs.errors import SettingsError


def count_cores() -> int:
    """Return how many cores this process uses: those that it may use, or PEDIGREE_CORES where these are fewer."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wish = os.environ.get("PEDIGREE_CORES", "")
    if wish and not (wish.isascii() and wish.isdigit() and int(wish)):
        raise SettingsError("PEDIGREE_CORES is no number of cores: set it to 1 or more, or leave it out.")
    return min(allowed, int(wish)) if wish else allowed
