"""The page of ``pedigree data diff --html``."""

from pathlib import Path

from tasks.catalog.export import Progress
from tasks.catalog.versions import VersionComparison
from tasks.reports.pages.diff_page import list_pictured_images, render_version_diff
from tasks.reports.pages.template import thumbnail
from tasks.stores.files.export_folder import write_file
from tasks.stores.tables.images import ImageStore


def write_report(store: str, compared: VersionComparison, page: Path, progress: Progress) -> None:
    """Write the page about a comparison, with thumbnails of those images that the store still holds."""
    names = list_pictured_images(compared.difference, compared.flips)
    small = {}
    with progress("pictures", len(names)) as advance:
        for image, data in ImageStore(store).salvage(names):
            small[image] = thumbnail(data) if isinstance(data, bytes) else None
            advance(1)
    written = render_version_diff(compared.before, compared.after, compared.difference, small, compared.flips)
    write_file(page, written.encode())
