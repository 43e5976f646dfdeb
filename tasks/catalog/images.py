"""Single images taken back or tried again: what ``pedigree data forget`` and ``pedigree data retry`` do."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from configs.errors import SettingsError
from configs.gate_rules import suggest_nearest
from tasks.domain.hashing import refuse_several
from tasks.domain.images.rejections import Reason
from tasks.reports.pages.data_card_page import list_pictured_images, render_data_card
from tasks.reports.pages.template import make_thumbnail
from tasks.stores.store import Store

# Whoever removed an image for good is not asked again by whoever types a command.
# The first digits of a SHA-256 that are enough for what cannot be undone.
_DIGITS = re.compile(r"[0-9a-f]{12,64}")
_RELEASABLE = frozenset(Reason) - {Reason.FORGOTTEN}


@dataclass(frozen=True, slots=True)
class ReleasedRejects:
    """How many objects of each reason the next retraining examines again."""

    store: str
    released: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Turn the answer into what JSON can hold."""
        return asdict(self)


def retry(store: Store, word: str | None) -> ReleasedRejects:
    """Release images that the sources hold and that were rejected, so that the next run tries them again.

    An image that was removed for good stays out.

    Args:
        store: The store that holds the rejections.
        word: The reason for which they were rejected; None for every reason that a person may undo here.

    Returns:
        How many images of each reason were released.

    Raises:
        SettingsError: There is no such reason, or none that a person may undo here.
        PedigreeError: There is no such store.
    """
    reasons = _RELEASABLE if word is None else {_reason(word)}
    store.objects.check()
    store.check_format()
    snapshots = store.snapshots
    counts: Counter[Reason] = Counter()
    for source in snapshots.sources():
        counts += snapshots.release(source, reasons)
    return ReleasedRejects(store.url, {reason.value: number for reason, number in sorted(counts.items())})


def _reason(word: str) -> Reason:
    if word == Reason.FORGOTTEN:
        raise SettingsError(f"What is {word} stays so: pedigree data retry takes every other reason.")
    try:
        return Reason(word)
    except ValueError:
        raise SettingsError(f"There is no reason {word!r}: {suggest_nearest(word, _RELEASABLE)}.") from None


@dataclass(frozen=True, slots=True)
class RemovedImage:
    """An image that was removed.

    Attributes:
        image: Its SHA-256.
        features: How many backbones' features went with it.
        versions: The versions that used it.
        runs: Their runs.
        original: Where its bytes still lie, if the store only referred to them; they are not removed there.
    """

    image: str
    features: int
    versions: tuple[str, ...]
    runs: tuple[str, ...]
    original: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Turn it into what JSON can hold."""
        return asdict(self)


def _resolve_image(store: Store, word: str) -> str:
    """Return the name of the image that a person means; one that is being removed counts as well."""
    digits = word.lower()
    if not _DIGITS.fullmatch(digits):
        raise SettingsError(f"{word} is no image: give at least 12 hexadecimal digits of its SHA-256.")
    matches = [name for name in store.images.stored() | store.tombstones.read() if name.startswith(digits)]
    if not matches:
        raise SettingsError(f"The store {store.url} holds no image {word}: pedigree data find KEY names its SHA-256.")
    refuse_several(word, "images", matches)
    return matches[0]


def forget(store: Store, word: str) -> RemovedImage:
    """Remove an image for good: it is noted first that it never comes back, so a second call finishes a first.

    Args:
        store: The store that holds the image.
        word: Its SHA-256, or at least the first twelve digits of it.

    Returns:
        What was removed, and which versions and models had used it.

    Raises:
        PedigreeError: There is no such store.
        SettingsError: No image in it fits, or several do.
    """
    store.objects.check()
    store.check_format()
    images, image = store.images, _resolve_image(store, word)
    original = images.reference(image)
    store.tombstones.write(image, datetime.now(UTC).isoformat())
    images.remove(image)
    users = [name for name in sorted(store.manifests.versions()) if store.manifests.find_rows(name, [image], "")]
    for name in store.manifests.versions():
        _remove_from_card(store, name, image)
    runs = {decision.run_id for decision in store.ledger.entries() if decision.dataset in users}
    return RemovedImage(image, store.remove_features(image), tuple(users), tuple(sorted(runs)), original)


def _remove_from_card(store: Store, name: str, image: str) -> None:
    """Write a version's page anew where it showed a small picture of the image."""
    card = store.data_cards.read(name)
    shown = list_pictured_images(card) if card else []
    if card and image in shown:
        images = store.images
        lacking = set(images.lacking(shown))
        pictures = {
            picture: make_thumbnail(data)
            for picture, data in images.read([picture for picture in shown if picture not in lacking])
        }
        store.data_cards.replace_page(name, render_data_card(card, pictures))
