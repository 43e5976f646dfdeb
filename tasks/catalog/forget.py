"""Removing an image for good, with everything that a store made of its bytes."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from configs.errors import Problem
from tasks.reports.pages.data_card_page import card_page, pictured
from tasks.reports.pages.template import thumbnail
from tasks.stores.files.format_version import check_format
from tasks.stores.files.ledger import Ledger
from tasks.stores.files.manifests import read_card, read_manifest, replace_page, written
from tasks.stores.files.tombstones import forget_image, forgotten_images
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.tables.features import remove_features
from tasks.stores.tables.images import ImageStore


@dataclass(frozen=True, slots=True)
class Forgotten:
    """An image that was removed, how many backbones' features with it, the versions that used it, and their runs."""

    image: str
    features: int
    versions: tuple[str, ...]
    runs: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Turn it into what JSON can hold."""
        return asdict(self)


def forget(store: str, image: str) -> Forgotten:
    """Note that an image was removed, so that it never comes back, and then remove it; a second call finishes a first.

    Raises:
        Problem: There is no such store, or no such image in it.
    """
    open_bucket(store).check()
    check_format(store)
    images = ImageStore(store)
    if image not in images.known() | forgotten_images(store):
        raise Problem(f"The store {store} holds no image {image}: name it by its SHA-256, all 64 digits.")
    forget_image(store, image, datetime.now(UTC).isoformat())
    images.remove(image)
    users = [name for name in sorted(written(store)) if any(row.image == image for row in read_manifest(store, name))]
    for name in written(store):
        _take_from_card(store, name, image)
    runs = {one.run_id for one in Ledger(store).entries() if one.dataset in users}
    return Forgotten(image, remove_features(store, image), tuple(users), tuple(sorted(runs)))


def _take_from_card(store: str, name: str, image: str) -> None:
    """Write a version's page anew where it showed a small picture of the image."""
    card = read_card(store, name)
    shown = pictured(card) if card else []
    if card and image in shown:
        images = ImageStore(store)
        held = images.known()
        pictures = {one: thumbnail(data) for one, data in images.read([one for one in shown if one in held])}
        replace_page(store, name, card_page(card, pictures))
