"""Small JSON records: what each model was made from, how each training ended, and which listings were answered."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of
from tasks.domain.registry.model_record import Record, record_from_dict
from tasks.domain.training.results import FeatureSet
from tasks.stores.files import checksums
from tasks.stores.files.format_version import reject_unknown_fields
from tasks.stores.objects.object_store import ObjectChangedError, open_bucket


def write_record(url: str, record: Record) -> None:
    """Keep a record; the first one about a head and a dataset version stands."""
    checksums.create(url, _key(record.head, record.dataset), record_bytes(record))


def record_bytes(record: Record) -> bytes:
    """Write a record as JSON, with the hash of all that it says."""
    plain = record.to_dict()
    return json.dumps({**plain, "sha256": sha256_of(plain)}, ensure_ascii=False, indent=1).encode()


def read_record(url: str, head: str, dataset: str) -> Record:
    """Return the record of a head that was trained on a dataset version; raise Problem when missing or damaged."""
    key = _key(head, dataset)
    try:
        plain = _checked(json.loads(open_bucket(url).read(key)))
        # Heads that were trained in epochs could start from the champion's weights.
        plain.pop("start", None)
        for part, kind in ((plain, Record), (plain["features"], FeatureSet), (plain["made"], FeatureSet)):
            reject_unknown_fields(kind, part, key, url)
        return record_from_dict(plain)
    except ObjectChangedError:
        raise PedigreeError(f"The file {key} is missing in {url}: put it back from a copy of the store.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PedigreeError(f"The file {key} in {url} is damaged: put it back from a copy of the store.") from error


def _checked(plain: dict[str, Any]) -> dict[str, Any]:
    if plain.pop("sha256") != sha256_of(plain):
        raise ValueError("sha256")
    return plain


def _key(head: str, dataset: str) -> str:
    return f"models/{head}/{dataset}.json"


def write_training_result(url: str, name: str, facts: Mapping[str, Any]) -> None:
    """Write down how a training ended, under the hash of all that decides it; the first one stands."""
    checksums.create(url, _training_key(name), json.dumps(facts, ensure_ascii=False, default=float).encode())


def read_training_result(url: str, name: str) -> dict[str, Any] | None:
    """Return how the training of this name ended; None where it never did, or where the note is damaged."""
    try:
        facts: dict[str, Any] = {**json.loads(open_bucket(url).read(_training_key(name)))}
    except (ObjectChangedError, ValueError, TypeError):
        return None
    return facts


def _training_key(name: str) -> str:
    return f"trainings/{name}.json"


def write_processed_snapshot(url: str, source: str, taken: str, ended: str) -> None:
    """Write down that a retraining has ended which listed the source at that moment, and how."""
    facts = {"source": source, "taken": taken, "ended": ended}
    checksums.create(url, f"{_processed_folder(source)}/{taken}.json", json.dumps(facts, ensure_ascii=False).encode())


def last_processed_snapshot(url: str, source: str) -> str:
    """Tell when the source was listed by the latest retraining that came to its end; empty where none did."""
    keys = [entry.key for entry in open_bucket(url).entries(f"{_processed_folder(source)}/")]
    return max((key.rpartition("/")[2].removesuffix(".json") for key in keys), default="")


def _processed_folder(source: str) -> str:
    return f"nights/{sha256_of(source)[:16]}"


if TYPE_CHECKING:
    from configs import schema


@dataclass(frozen=True, slots=True)
class CutChoice:
    """The cut, the day on which it was chosen, and why."""

    cut: str
    day: str
    reason: str

    def __str__(self) -> str:
        """Say what auto means, since when, and why."""
        return f"backbone.cut auto means {self.cut} since {self.day}: {self.reason}"


def write_choice(
    url: str, backbone: "schema.Backbone", cut: str, reason: str, measured: Mapping[str, Any]
) -> CutChoice:
    """Write down what auto means under these weights and this size; return what stands, which may be another's word.

    Args:
        url: The store.
        backbone: The weights and the size that the choice is for.
        cut: The cut that was chosen.
        reason: Why, in a sentence.
        measured: The comparison that it comes from; empty where nothing was measured.

    Returns:
        The first choice that was written: of several nights at once, all obey it.
    """
    facts = {"cut": cut, "day": datetime.now(UTC).date().isoformat(), "reason": reason, "measured": measured}
    checksums.create(url, _choice_key(backbone), json.dumps(facts, ensure_ascii=False, indent=1).encode())
    choice = read_choice(url, backbone)
    if choice is None:
        raise PedigreeError(f"The file {_choice_key(backbone)} has vanished from {url}: run the night again.")
    return choice


def read_choice(url: str, backbone: "schema.Backbone") -> CutChoice | None:
    """Return what auto means under these weights and this size; None where nobody has chosen yet."""
    key = _choice_key(backbone)
    try:
        facts = json.loads(open_bucket(url).read(key))
        return CutChoice(str(facts["cut"]), str(facts["day"]), str(facts["reason"]))
    except ObjectChangedError:
        return None
    except (ValueError, KeyError, TypeError):
        raise PedigreeError(
            f"The file {key} in {url} is damaged: put it back from a copy, or set backbone.cut."
        ) from None


def _choice_key(backbone: "schema.Backbone") -> str:
    """Name the choice by what it is for; a weights file is known by its hash, wherever it lies."""
    weights = backbone.sha256 if backbone.is_file else backbone.weights
    return f"cuts/{sha256_of([weights, backbone.size])}.json"


_FOLDER = "forgotten/"


def write_tombstone(url: str, image: str, time: str) -> bool:
    """Write down that an image was removed at a time (ISO 8601); return False when that was written before."""
    return checksums.create(url, f"{_FOLDER}{image}.json", json.dumps({"image": image, "time": time}).encode())


def read_tombstones(url: str) -> set[str]:
    """Name the images that were removed for good."""
    keys = [entry.key for entry in open_bucket(url).entries(_FOLDER)]
    return {key.removeprefix(_FOLDER).removesuffix(".json") for key in keys}


def describe_tombstones(url: str, version: str, images: Collection[str]) -> str:
    """Say in one sentence which of a version's images were removed for good; nothing where none was."""
    gone = sorted(read_tombstones(url) & set(images))
    if not gone:
        return ""
    notes = [json.loads(open_bucket(url).read(f"{_FOLDER}{image}.json")) for image in gone]
    named = ", ".join(f"{note['image'][:12]} on {note['time'][:10]}" for note in notes[:3])
    more = f" and {len(notes) - 3:,} more" if len(notes) > 3 else ""  # noqa: PLR2004
    used = "an image that was" if len(notes) == 1 else f"{len(notes):,} images that were"
    return f"Version {version[:12]} used {used} removed for good ({named}{more}), so it cannot be rebuilt as it was."
