"""A first look at a source: whether it is there and holds anything, before anything slow is started."""

import os
from collections.abc import Sequence
from pathlib import Path

from configs.errors import PedigreeError, ServiceUnavailableError, SettingsError
from configs.schema import Settings
from tasks.domain.ingestion.source_objects import SourceFilter, describe_passed_over
from tasks.domain.phrasing import count
from tasks.stores.objects.folder import folder_path
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store


def check_source(settings: Settings) -> None:
    """Check that the source is there, and that a folder holds a file.

    A server that does not answer now is left to the run, which waits for it.

    Args:
        settings: Those of source and store, with absolute paths.

    Raises:
        PedigreeError: The folder or bucket is missing, closed to us, or the folder is empty.
    """
    source = settings.source.url
    check_apart(source.rstrip("/"), settings.store.url.rstrip("/"))
    if source.startswith("s3://"):
        _check_bucket(source)
        return
    open_bucket(source).check()
    names = SourceFilter(settings.source.pass_over)
    if not _holds_a_file(folder_path(source), names):
        held = len(Store(settings.store.url).snapshots.keys(source))
        raise PedigreeError(describe_empty_source(source, held, names.counts()))


def check_apart(source: str, store: str) -> None:
    """Check that source and store do not overlap: what a store holds would be listed as photographs.

    Args:
        source: Address of the source, without a slash at its end.
        store: Address of the store, likewise.

    Raises:
        SettingsError: One lies in the other.
    """
    if f"{store}/".startswith(f"{source}/") or f"{source}/".startswith(f"{store}/"):
        message = f"source.url {source} and store.url {store} overlap: keep photographs and store in separate places."
        raise SettingsError(message)


def _check_bucket(source: str) -> None:
    try:
        open_bucket(source).check()
    except ServiceUnavailableError:
        return


def _holds_a_file(folder: Path, names: SourceFilter) -> bool:
    for _, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not names.skips_folder(name)]
        if any(not names.skips_file(name) for name in files):
            return True
    return False


def describe_empty_source(source: str, held: int, passed_over: Sequence[tuple[str, int]]) -> str:
    """Return a sentence that the source is empty and what to do, which depends on whether it held photographs.

    Args:
        source: The address of the source.
        held: How many objects it held before.
        passed_over: How many objects of each name were passed over.

    Returns:
        The sentence.
    """
    passed = describe_passed_over(passed_over)
    but = f", but for what is passed over ({passed})" if passed else ""
    if held:
        return (
            f"The source {source} is empty{but}, and held {count(held, 'object')} before: nothing was learned. Look "
            "whether the disk is mounted and the address is right."
        )
    return f"The source {source} is empty{but}: put photographs into it, one folder a class."
