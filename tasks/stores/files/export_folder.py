"""Plain files for people, outside of the store: each folder or file appears whole or not at all."""

import errno
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of_bytes

# Images in a batch. Memory must hold two: one is written while the next is read. More writers at once were slower.
_BATCH = 64


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a new folder that gets the target's name at the end, or is deleted where an error was raised.

    Args:
        target: The folder that is wanted; it may exist if it is empty.

    Yields:
        The new folder.

    Raises:
        PedigreeError: The target is not empty, another export works on it, or it cannot be written.
    """
    folder = target.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PedigreeError(f"{target} is not an empty folder: empty it, or name another one.")
    partial = folder.with_name(f"{folder.name}.partial")
    if partial.exists():
        raise PedigreeError(f"{partial} is in the way, left by a checkout that was killed or still runs: delete it.")
    with _sentences(target):
        partial.mkdir(mode=0o700, parents=True)
        try:
            yield partial
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def make_folders(root: Path, names: Collection[str]) -> None:
    """Create a folder for each name.

    Args:
        root: The folder that they are created in.
        names: Their names, which are classes.

    Raises:
        PedigreeError: The file system takes two names for one.
    """
    for name in sorted(names):
        try:
            (root / name).mkdir()
        except FileExistsError:
            message = f"This disk takes {name} and another class for the same folder: check out onto another disk."
            raise PedigreeError(message) from None


def write_images(
    root: Path, files: Mapping[str, str], images: Iterable[tuple[str, bytes]], advance: Callable[[int], None]
) -> None:
    """Write each image to its path.

    Args:
        root: The folder that paths begin at.
        files: The path of each image.
        images: The images with their bytes.
        advance: Gets how many more images were written.

    Raises:
        PedigreeError: The bytes of an image have another hash than its name.
    """
    source = iter(images)
    written: Future[int] | None = None
    with ThreadPoolExecutor(1) as pool:
        while batch := [(root / files[image], image, data) for image, data in islice(source, _BATCH)]:
            if written:
                advance(written.result())
            written = pool.submit(_write, batch)
        if written:
            advance(written.result())


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole, or not at all; one that is there is replaced.

    Args:
        path: Its path.
        data: Its content.

    Raises:
        PedigreeError: It cannot be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    with _sentences(path):
        try:
            partial.write_bytes(data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _write(batch: Sequence[tuple[Path, str, bytes]]) -> int:
    for path, image, data in batch:
        if sha256_of_bytes(data) != image:
            raise PedigreeError(f"The image {image} is damaged in the store: pedigree data verify names all that is.")
        path.write_bytes(data)
    return len(batch)


@contextmanager
def _sentences(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"The disk that holds {target} is full: make room and run again; nothing was half-written."
            raise PedigreeError(message) from error
        message = f"{target} cannot be written ({error.strerror}): give this user the right to, or name another place."
        raise PedigreeError(message) from error
