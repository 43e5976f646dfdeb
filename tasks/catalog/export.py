"""A dataset version as a plain folder: what ``pedigree data checkout`` does."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from configs.errors import PedigreeError
from tasks.catalog.versions import VersionComparison, find_version
from tasks.domain.datasets.export_formats import MANIFEST, file_name, folder_name, format_manifest_csv
from tasks.engine.tally import Advance
from tasks.reports.pages.data_card_page import name_dataset
from tasks.reports.pages.diff_page import list_pictured_images, render_version_diff
from tasks.reports.pages.template import make_thumbnail
from tasks.stores.files.export_folder import make_folders, new_folder, write_file, write_images
from tasks.stores.store import Store

#: Shows how far the work has come: takes a title and how much there is to do, yields what takes how much more is done.
Progress = Callable[[str, int], AbstractContextManager[Advance]]


@dataclass(frozen=True, slots=True)
class ExportedVersion:
    """What was written, and where."""

    dataset: str
    folder: str
    images: int
    classes: int

    def to_dict(self) -> dict[str, Any]:
        """Turn the answer into what JSON can hold."""
        return asdict(self)


def checkout(store: Store, word: str, target: Path, progress: Progress) -> ExportedVersion:
    """Write a version's images as class/sha256.extension, and its manifest as CSV, into a folder.

    Args:
        store: The store that holds the version.
        word: What names the version: its hash or the first digits of it, or ``latest``.
        target: The folder, new or empty.
        progress: Shows how many images are written.

    Returns:
        What was written where.

    Raises:
        PedigreeError: The store lacks images of the version.
    """
    name = find_version(store, word)
    rows = store.manifests.read(name)
    images = store.images
    formats = images.formats([row.image for row in rows])
    if lost := [row.image for row in rows if row.image not in formats]:
        message = f"The store lacks {len(lost):,} images of this version, such as {lost[0]}: see pedigree data verify."
        raise PedigreeError(store.tombstones.describe(name, lost) or message)
    files = {row.image: file_name(row, formats[row.image]) for row in rows}
    folders = {folder_name(row.label) for row in rows}
    with new_folder(target) as folder, progress("checkout", len(rows)) as advance:
        make_folders(folder, folders)
        write_images(folder, files, images.read(list(formats)), advance)
        write_file(folder / MANIFEST, format_manifest_csv(rows, files))
    return ExportedVersion(name, str(target), len(rows), len(folders))


def _name_dataset(store: Store, version: str) -> str:
    """Return how people call a dataset version, by its card; empty where there is none, or it tells no time."""
    card = store.data_cards.read(version) or {}
    return name_dataset(card) if "written" in card else ""


def write_report(store: Store, compared: VersionComparison, page: Path, progress: Progress) -> None:
    """Write the page about a comparison, with thumbnails of those images that the store still holds.

    Args:
        store: The store that holds the images.
        compared: Two versions or two models.
        page: The file to write.
        progress: Shows how many pictures are read.
    """
    names = list_pictured_images(compared.difference, compared.flips)
    small = {}
    with progress("pictures", len(names)) as advance:
        for image, data in store.images.salvage(names):
            small[image] = make_thumbnail(data) if isinstance(data, bytes) else None
            advance(1)
    if compared.models:
        names = [f"version {version}" for version in compared.models]
    else:
        names = [_name_dataset(store, version) for version in (compared.before, compared.after)]
    called = (names[0], names[1])
    written = render_version_diff(compared.before, compared.after, compared.difference, small, compared.flips, called)
    write_file(page, written.encode())
