"""The page of ``pedigree data diff --html``."""

from pathlib import Path

from flows.checkout import Progress
from flows.data import Compared
from tasks.reports.diff_page import diff_page, pictured
from tasks.reports.thumbnails import thumbnail
from tasks.stores.images import ImageStore
from tasks.stores.plain_folder import write_file


def write_report(store: str, compared: Compared, page: Path, progress: Progress) -> None:
    """Write the page about a comparison, with thumbnails of those images that the store still holds."""
    names = pictured(compared.difference, compared.flips)
    small = {}
    with progress("pictures", len(names)) as advance:
        for image, data in ImageStore(store).salvage(names):
            small[image] = thumbnail(data) if isinstance(data, bytes) else None
            advance(1)
    written = diff_page(compared.before, compared.after, compared.difference, small, compared.flips)
    write_file(page, written.encode())
