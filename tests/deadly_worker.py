"""What Dask's workers load in tests: a worker dies once at a moment that the environment names, as by kill -9.

``PEDIGREE_DIES`` is a folder: a file in it named before, within or after lets the first worker die that is about to
write, has written a file but does not know it yet, or has written and not answered. ``PEDIGREE_LACKS`` names modules
that are not installed there.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def dask_setup(_worker: object) -> None:
    """Put the deadly moments in place; Dask calls this when a worker starts."""
    sys.modules |= dict.fromkeys(os.environ.get("PEDIGREE_LACKS", "").split())  # type: ignore[arg-type]
    from tasks.stores.objects.folder import FolderBucket
    from tasks.stores.tables.features import FeatureStore
    from tasks.stores.tables.images import ImageStore

    for store in (FeatureStore, ImageStore):
        _surround(store, "write_fragments", before="before", after="after")
    _surround(FolderBucket, "sha256", before="within", after="")


def _surround(owner: type, name: str, before: str, after: str) -> None:
    method: Callable[..., Any] = getattr(owner, name)

    def surrounded(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the method takes
        _die_at(before)
        result = method(*arguments, **named)
        _die_at(after)
        return result

    setattr(owner, name, surrounded)


def _die_at(moment: str) -> None:
    order = Path(os.environ["PEDIGREE_DIES"]) / moment
    if moment and order.exists():
        # Whoever takes the order away dies; the others go on.
        order.unlink(missing_ok=True)
        os.kill(os.getpid(), signal.SIGKILL)
