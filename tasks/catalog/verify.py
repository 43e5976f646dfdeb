"""Verification that dataset versions are whole: what ``pedigree data verify`` does, and the weekly flow."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError, SettingsError
from tasks.catalog.export import Progress
from tasks.catalog.verify_files import damaged_files, missing_checksums
from tasks.catalog.versions import find_version
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.version_diff import LATEST
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.domain.hashing import sha256_of, sha256_of_bytes
from tasks.domain.registry.decisions import Decision
from tasks.engine.engine import Engine, LocalEngine
from tasks.modeling.backbone.serialization import from_bytes, hash_weights
from tasks.modeling.head.head import Head
from tasks.stores.objects.object_store import ObjectChangedError
from tasks.stores.rehash import rehash
from tasks.stores.store import Store

_FEATURES_AT_ONCE = 8192
_IMAGES_AT_ONCE = 256
# How damage begins that names a row of a table.
_ROWS = "image "


@dataclass(frozen=True, slots=True)
class Damage:
    """A file, an image or a record that is not what was written, and how that shows."""

    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Hashing:
    """Who hashes images, and what shows how many."""

    engine: Engine
    progress: Progress


@dataclass(frozen=True, slots=True)
class Verification:
    """What was looked at, all that is damaged, and what nothing proves yet."""

    dataset: str
    images: int
    decisions: int
    damage: tuple[Damage, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Turn the answer into what JSON can hold."""
        return asdict(self)


def verify(store: Store, word: str, progress: Progress, engine: Engine | None = None) -> Verification:
    """Hash a version's manifest, images and records, and the store's files, again, and name whatever was altered.

    Args:
        store: The store.
        word: What names the version: its hash or the first digits of it, or ``latest``.
        progress: Shows how many images are hashed.
        engine: Hashes the images; this process where it is left out.

    Returns:
        How much was hashed, and what is damaged.
    """
    hashing = _Hashing(engine or LocalEngine(_IMAGES_AT_ONCE), progress)
    return _add_file_damage(store, _verify_version(store, _find_version(store, word), hashing, set()))


def _find_version(store: Store, word: str) -> str:
    """Find the version that is meant; where the ledger cannot say which is the latest, take the one written last."""
    try:
        return find_version(store, word)
    except (ServiceUnavailableError, InaccessibleError, SettingsError):
        raise
    except PedigreeError:
        times = store.manifests.versions()
        if word != LATEST or not times:
            raise
        return max(times, key=times.__getitem__)


def verify_all(store: Store, progress: Progress, engine: Engine | None = None) -> tuple[Verification, ...]:
    """Verify every version of a store; what several share is hashed, and counted, once.

    Args:
        store: The store.
        progress: Shows how many images are hashed.
        engine: Hashes the images; this process where it is left out.

    Returns:
        One verification a version; damaged files of the store stand with the first.
    """
    proved: set[str] = set()
    hashing = _Hashing(engine or LocalEngine(_IMAGES_AT_ONCE), progress)
    verifications = [_verify_version(store, name, hashing, proved) for name in sorted(store.manifests.versions())]
    return (_add_file_damage(store, verifications[0]), *verifications[1:]) if verifications else ()


def _add_file_damage(store: Store, verification: Verification) -> Verification:
    """Add what is wrong with the store's files as such, where a row of theirs does not say it better."""
    by_rows = tuple(
        f"{table}/"
        for table in ("images.lance", "features")
        if any(entry.what.startswith(_ROWS) for entry in verification.damage)
    )
    files = [Damage(key, detail) for key, detail in damaged_files(store) if not (by_rows and key.startswith(by_rows))]
    damage = tuple(dict.fromkeys((*verification.damage, *files)))
    return replace(verification, damage=damage, notes=tuple(missing_checksums(store)))


def _verify_version(store: Store, name: str, hashing: _Hashing, proved: set[str]) -> Verification:
    """Look at a version, all but the images that are proved already, and add its own to them."""
    rows: list[Row] = []
    decisions: list[Decision] = []
    damage = list(_problems_as_damage("manifest", _manifest(store, name, rows)))
    fresh = [row for row in rows if row.image not in proved]
    proved |= {row.image for row in fresh}
    damage += _problems_as_damage("table images", _images(store, fresh, hashing))
    damage += _problems_as_damage("table splits", _splits(store, rows))
    damage += _problems_as_damage("ledger", _ledger(store, name, decisions))
    damage += _problems_as_damage("data card", _card(store, name, len(rows), decided=bool(decisions)))
    for head in sorted({decision.head for decision in decisions}):
        damage += _problems_as_damage(f"record of head {head}", _record(store, head, name))
    for backbone, head in sorted({(decision.backbone, decision.head) for decision in decisions}):
        damage += _problems_as_damage(f"backbone {backbone}", _backbone(store, backbone))
        damage += _problems_as_damage(f"head {head}", _head(store, head))
        damage += _problems_as_damage(f"features of backbone {backbone}", _features(store, backbone, head, rows))
    return Verification(name, len(fresh), len(decisions), tuple(dict.fromkeys(damage)))


def _problems_as_damage(subject: str, damage: Iterable[Damage]) -> Iterator[Damage]:
    """Turn what keeps a check from going on into damage as well."""
    try:
        yield from damage
    except (ServiceUnavailableError, InaccessibleError):
        raise
    except PedigreeError as problem:
        yield Damage(subject, str(problem))
    except ObjectChangedError:
        yield Damage(subject, "It is not in the store.")
    except (LookupError, TypeError, ValueError) as error:
        yield Damage(subject, f"It is not what Pedigree writes ({type(error).__name__}: {str(error)[:100]}).")


def _manifest(store: Store, name: str, rows: list[Row]) -> Iterator[Damage]:
    rows += store.manifests.read(name)
    if dataset_hash(rows) != name:
        yield Damage("manifest", f"Its rows have another hash than datasets/{name}.")


def _images(store: Store, rows: Sequence[Row], hashing: _Hashing) -> Iterator[Damage]:
    images, unreadable, gone = store.images, False, store.tombstones.read()
    try:
        with hashing.progress("verify", len(rows)) as advance:
            for damage in rehash(hashing.engine, store.url, [row.image for row in rows], advance):
                removed = damage.unreadable and damage.image in gone
                unreadable |= bool(damage.unreadable) and not removed and not damage.lost_original
                detail = damage.unreadable or "Its bytes have another SHA-256."
                yield Damage(f"image {damage.image}", "It was removed for good." if removed else detail)
    except (ServiceUnavailableError, InaccessibleError):
        raise
    except PedigreeError as problem:
        unreadable = True
        yield Damage("table images", str(problem))
    if unreadable:
        yield from (Damage(file, detail) for file, detail in images.damage())


def _splits(store: Store, rows: Sequence[Row]) -> Iterator[Damage]:
    splits = store.splits
    yield from (Damage(file, detail) for file, detail in splits.damage())
    assigned = splits.stored()
    for row in rows:
        if row.image not in assigned:
            yield Damage(f"image {row.image}", "The table of splits lacks it.")
        elif assigned[row.image].split is not row.split:
            detail = f"The manifest says {row.split.value}, the table of splits {assigned[row.image].split.value}."
            yield Damage(f"image {row.image}", detail)


def _ledger(store: Store, name: str, decisions: list[Decision]) -> Iterator[Damage]:
    ledger = store.ledger
    for key in ledger.files():
        try:
            decision = ledger.read(key)
        except (ServiceUnavailableError, InaccessibleError):
            raise
        except PedigreeError as problem:
            yield Damage(key, str(problem))
            continue
        if key != f"ledger/{decision.number:06}.json":
            yield Damage(key, f"It holds decision {decision.number}.")
        if decision.dataset == name:
            decisions.append(decision)


def _card(store: Store, name: str, images: int, *, decided: bool) -> Iterator[Damage]:
    card = store.data_cards.read(name)
    if card is None:
        if decided:
            yield Damage("data card", f"There is no datasets/{name}/card.json, though the ledger knows the version.")
        return
    if (card["dataset"], card["images"]) != (name, images):
        yield Damage("data card", f"It is of {card['dataset'][:12]} with {card['images']} images.")
    if store.labellings.rehash(card["labels"]) != card["labels"]:
        yield Damage(f"labels/{card['labels']}.parquet", "Its rows have another hash.")


def _record(store: Store, head: str, name: str) -> Iterator[Damage]:
    record = store.records.read(head, name)
    if (record.head, record.dataset) != (head, name):
        yield Damage(f"record of head {head}", f"It is of head {record.head[:12]} and dataset {record.dataset[:12]}.")


def _backbone(store: Store, fingerprint: str) -> Iterator[Damage]:
    data, facts = store.backbones.read(fingerprint)
    if sha256_of(facts) != fingerprint:
        yield Damage(f"backbone {fingerprint}", "Its facts have another hash.")
    if hash_weights(from_bytes(data, f"backbones/{fingerprint}")) != facts["weights"]:
        yield Damage(f"backbone {fingerprint}", "Its weights have another hash.")
    if "graph" in facts and sha256_of_bytes(store.backbones.read_graph(facts)) != facts["graph"]:
        yield Damage(f"backbone {fingerprint}", "Its graph has another hash.")


def _head(store: Store, name: str) -> Iterator[Damage]:
    if Head.from_bytes(store.heads.read(name)).name != name:
        yield Damage(f"head {name}", "Its weights have another hash.")


def _features(store: Store, backbone: str, head: str, rows: Sequence[Row]) -> Iterator[Damage]:
    """Features can be computed again, so that only those that are there and cannot be numbers count as damage."""
    features = store.features(backbone, Head.from_bytes(store.heads.read(head)).weights.shape[0])
    lacking = set(features.lacking([row.image for row in rows]))
    images = [row.image for row in rows if row.image not in lacking]
    yield from (
        Damage(f"image {image}", f"Its features of backbone {backbone[:12]} are not what was written.")
        for image in sorted(set(features.damaged_images(images)))
    )
    for start in range(0, len(images), _FEATURES_AT_ONCE):
        part = images[start : start + _FEATURES_AT_ONCE]
        wrong = ~np.isfinite(features.read(part)).all(axis=1)
        yield from (
            Damage(f"image {part[index]}", f"Its features of backbone {backbone[:12]} are no numbers.")
            for index in np.flatnonzero(wrong)
        )
