"""A scratch copy of a store: steps may write into it, and it is thrown away."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from configs.environment import home
from tasks.stores.objects.folder import folder_path
from tasks.stores.store import Store

# What no step before the network reads, and what former runs found in the tables of the other store.
_LEFT_OUT = ("features/", "backbones/", "heads/", "checkpoints/", "packages/", "known/", "claims/")
# Where images are copied without their bytes, their rows have other numbers.
_BY_ROWS = ("images.lance/", "near-duplicates/", "checksums/files/images.lance/", "checksums/files/near-duplicates/")
# Smaller files are copied: a link would not be shorter.
_SMALL = 65_536
_BATCH = 10_000


@contextmanager
def scratch_store(store: Store) -> Iterator[Store]:
    """Copy what the steps before the network read, without the bytes of photographs, into a folder that is deleted.

    Large files of a folder are linked and not copied, since no file of a store is ever changed.

    Args:
        store: The store, which is only read; it need not be there yet.

    Yields:
        The copy.
    """
    with TemporaryDirectory(prefix="dry-run-", dir=home()) as folder:
        target = Path(folder, "store")
        if not store.url.startswith("s3://"):
            if folder_path(store.url).is_dir():
                _link_files(store, target)
        else:
            _copy_files(store, target)
        yield Store(str(target))


def _link_files(store: Store, target: Path) -> None:
    root = folder_path(store.url)
    for key in _keys(store, _LEFT_OUT):
        origin, copy = root / key, target / key
        copy.parent.mkdir(parents=True, exist_ok=True)
        if origin.stat().st_size <= _SMALL or not _linked(origin, copy):
            shutil.copyfile(origin, copy)


def _linked(origin: Path, copy: Path) -> bool:
    try:
        os.link(origin, copy)
    except OSError:
        return False
    return True


def _copy_files(store: Store, target: Path) -> None:
    scratch = Store(str(target))
    for key in _keys(store, (*_LEFT_OUT, *_BY_ROWS)):
        scratch.objects.create(key, store.objects.read(key))
    images = sorted(store.images.stored())
    for first in range(0, len(images), _BATCH):
        part = images[first : first + _BATCH]
        infos = store.images.read_infos(part)
        scratch.images.add([(infos[image], b"") for image in part])


def _keys(store: Store, left_out: Sequence[str]) -> Iterator[str]:
    for entry in store.objects.entries():
        if not entry.key.startswith(tuple(left_out)):
            yield entry.key
