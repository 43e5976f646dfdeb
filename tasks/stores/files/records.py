"""Small JSON records: what each model was made from, how each training ended, and which listings were answered."""

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from configs.errors import InaccessibleError, PedigreeError
from tasks.domain.hashing import sha256_of
from tasks.domain.registry.model_record import Record, record_from_dict
from tasks.domain.training.results import FeatureSet
from tasks.stores.files.checksums import Checksums
from tasks.stores.objects.object_store import Bucket, ObjectChangedError

if TYPE_CHECKING:
    from configs import schema

_TOMBSTONES = "forgotten/"


def reject_unknown_fields(kind: type[Any], plain: Mapping[str, Any], file: str, url: str) -> Mapping[str, Any]:
    """Return what a file says of a dataclass; raise InaccessibleError where it says more than this Pedigree knows.

    Args:
        kind: The dataclass that is to be made of it.
        plain: What was read.
        file: The file's key in the store.
        url: The store.

    Returns:
        ``plain`` itself, also where it lacks something: whoever makes the dataclass finds that out.

    Raises:
        InaccessibleError: A newer Pedigree wrote the file, which is sound.
    """
    known_fields = {field.name: field.default is MISSING and field.default_factory is MISSING for field in fields(kind)}
    more = plain.keys() - known_fields.keys()
    if more and all(name in plain for name, needed in known_fields.items() if needed):
        raise InaccessibleError(
            f"The file {file} in {url} was written by a newer Pedigree, which knows {min(more)}: update Pedigree."
        )
    return plain


@dataclass(frozen=True)
class ModelRecords:
    """The files ``models/<head>/<dataset>.json``: what each model was made from."""

    objects: Bucket
    checksums: Checksums

    def write(self, record: Record) -> None:
        """Write a record; the first one about a head and a dataset version stands."""
        self.checksums.create(_record_key(record.head, record.dataset), record_bytes(record))

    def read(self, head: str, dataset: str) -> Record:
        """Return the record of a head that was trained on a dataset version.

        Args:
            head: Hash of the head's weights.
            dataset: Hash of the dataset version.

        Returns:
            What the model was made from.

        Raises:
            PedigreeError: The file is missing or damaged, or a newer Pedigree wrote it.
        """
        key, url = _record_key(head, dataset), self.objects.url
        try:
            plain = _checked(json.loads(self.objects.read(key)))
            plain.pop("start", None)  # Heads that were trained in epochs could start from the champion's weights.
            for part, kind in ((plain, Record), (plain["features"], FeatureSet), (plain["made"], FeatureSet)):
                reject_unknown_fields(kind, part, key, url)
            return record_from_dict(plain)
        except ObjectChangedError:
            raise PedigreeError(f"The file {key} is missing in {url}: put it back from a copy of the store.") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PedigreeError(f"The file {key} in {url} is damaged: put it back from a copy of the store.") from error


def record_bytes(record: Record) -> bytes:
    """Return a record as JSON, with the hash of all that it says."""
    plain = record.to_dict()
    return json.dumps({**plain, "sha256": sha256_of(plain)}, ensure_ascii=False, indent=1).encode()


def _checked(plain: dict[str, Any]) -> dict[str, Any]:
    if plain.pop("sha256") != sha256_of(plain):
        raise ValueError("sha256")
    return plain


def _record_key(head: str, dataset: str) -> str:
    return f"models/{head}/{dataset}.json"


@dataclass(frozen=True)
class TrainingResults:
    """The files ``trainings/<name>.json``: how each training ended, under the hash of all that decides it."""

    objects: Bucket
    checksums: Checksums

    def write(self, name: str, facts: Mapping[str, Any]) -> None:
        """Write down how a training ended; the first result of a name stands.

        Args:
            name: The hash of all that decides the training.
            facts: Its result.
        """
        data = json.dumps(facts, ensure_ascii=False, default=float).encode()
        self.checksums.create(f"trainings/{name}.json", data)

    def read(self, name: str) -> dict[str, Any] | None:
        """Return how the training of this name ended; None where it never did, or where its file is damaged."""
        try:
            facts: dict[str, Any] = {**json.loads(self.objects.read(f"trainings/{name}.json"))}
        except (ObjectChangedError, ValueError, TypeError):
            return None
        return facts


@dataclass(frozen=True)
class ProcessedSnapshots:
    """The files ``nights/<source>/<moment>.json``: which listings of a source a run has answered."""

    objects: Bucket
    checksums: Checksums

    def write(self, source: str, taken: str, ended: str) -> None:
        """Write down that a retraining has ended.

        Args:
            source: Address of the source.
            taken: When the run listed it, ISO 8601 in UTC.
            ended: How the run ended.
        """
        facts = {"source": source, "taken": taken, "ended": ended}
        key = f"{_processed_folder(source)}/{taken}.json"
        self.checksums.create(key, json.dumps(facts, ensure_ascii=False).encode())

    def last(self, source: str) -> str:
        """Return when the latest retraining that came to its end listed the source; empty where none did."""
        keys = [entry.key for entry in self.objects.entries(f"{_processed_folder(source)}/")]
        return max((key.rpartition("/")[2].removesuffix(".json") for key in keys), default="")


def _processed_folder(source: str) -> str:
    return f"nights/{sha256_of(source)[:16]}"


@dataclass(frozen=True, slots=True)
class CutChoice:
    """The cut, the day on which it was chosen, and why."""

    cut: str
    day: str
    reason: str

    def __str__(self) -> str:
        """Return what auto means, since when, and why."""
        return f"backbone.cut auto means {self.cut} since {self.day}: {self.reason}"


@dataclass(frozen=True)
class CutChoices:
    """The files ``cuts/<hash>.json``: which cut ``auto`` means under some weights and a size."""

    objects: Bucket
    checksums: Checksums

    def write(self, backbone: "schema.Backbone", cut: str, reason: str, measured: Mapping[str, Any]) -> CutChoice:
        """Write down what auto means under these weights and this size.

        Args:
            backbone: The weights and the size that the choice is for.
            cut: The cut that was chosen.
            reason: Why, in a sentence.
            measured: The comparison that it comes from; empty where nothing was measured.

        Returns:
            The first choice that was written: of several runs at once, all obey it.

        Raises:
            PedigreeError: The file has vanished since it was written.
        """
        facts = {"cut": cut, "day": datetime.now(UTC).date().isoformat(), "reason": reason, "measured": measured}
        key = _choice_key(backbone)
        self.checksums.create(key, json.dumps(facts, ensure_ascii=False, indent=1).encode())
        choice = self.read(backbone)
        if choice is None:
            raise PedigreeError(f"The file {key} has vanished from {self.objects.url}: start the run again.")
        return choice

    def read(self, backbone: "schema.Backbone") -> CutChoice | None:
        """Return what auto means under these weights and this size; None where nobody has chosen yet."""
        key = _choice_key(backbone)
        try:
            facts = json.loads(self.objects.read(key))
            return CutChoice(str(facts["cut"]), str(facts["day"]), str(facts["reason"]))
        except ObjectChangedError:
            return None
        except (ValueError, KeyError, TypeError):
            url = self.objects.url
            message = f"The file {key} in {url} is damaged: put it back from a copy, or set backbone.cut."
            raise PedigreeError(message) from None


def _choice_key(backbone: "schema.Backbone") -> str:
    """Name the choice by what it is for; a weights file is known by its hash, wherever it lies."""
    weights = backbone.sha256 if backbone.is_file else backbone.weights
    return f"cuts/{sha256_of([weights, backbone.size])}.json"


@dataclass(frozen=True)
class Tombstones:
    """The files ``forgotten/<image>.json``: which images were removed for good, and when."""

    objects: Bucket
    checksums: Checksums

    def write(self, image: str, time: str) -> bool:
        """Write down that an image was removed for good.

        Args:
            image: Its name.
            time: When, in ISO 8601.

        Returns:
            False where that was written before.
        """
        data = json.dumps({"image": image, "time": time}).encode()
        return self.checksums.create(f"{_TOMBSTONES}{image}.json", data)

    def read(self) -> set[str]:
        """Return the images that were removed for good."""
        keys = [entry.key for entry in self.objects.entries(_TOMBSTONES)]
        return {key.removeprefix(_TOMBSTONES).removesuffix(".json") for key in keys}

    def describe(self, version: str, images: Collection[str]) -> str:
        """Return one sentence about those of a version's images that were removed for good; empty where none was.

        Args:
            version: Hash of the dataset version.
            images: Its images.

        Returns:
            Which images are gone since when, and that the version cannot be rebuilt.
        """
        gone = sorted(self.read() & set(images))
        if not gone:
            return ""
        notes = [json.loads(self.objects.read(f"{_TOMBSTONES}{image}.json")) for image in gone]
        named = ", ".join(f"{note['image'][:12]} on {note['time'][:10]}" for note in notes[:3])
        more = f" and {len(notes) - 3:,} more" if len(notes) > 3 else ""  # noqa: PLR2004
        used = "an image that was" if len(notes) == 1 else f"{len(notes):,} images that were"
        return (
            f"Version {version[:12]} used {used} removed for good ({named}{more}), so it cannot be rebuilt as it was."
        )


@dataclass(frozen=True)
class Packages:
    """The files ``packages/<head>/<dataset>/<hash>.json``: the SHA-256 of each file that a model was packaged with."""

    objects: Bucket
    checksums: Checksums

    def write(self, head: str, dataset: str, files: Mapping[str, str]) -> None:
        """Write down what a model's package consists of, before MLflow gets it.

        Args:
            head: Hash of the head's weights.
            dataset: Hash of the dataset version.
            files: SHA-256 by path in the package.
        """
        data = json.dumps(dict(files), ensure_ascii=False, indent=1).encode()
        self.checksums.create(f"packages/{head}/{dataset}/{sha256_of(dict(files))}.json", data)

    def read(self, head: str, dataset: str) -> dict[str, Mapping[str, str]]:
        """Return the packages that were made of a model, by the hash of what they consist of, the newest last.

        Args:
            head: Hash of the head's weights.
            dataset: Hash of the dataset version.

        Returns:
            SHA-256 by path of each package; one whose file is not what its name says is left out.
        """
        packages: dict[str, Mapping[str, str]] = {}
        for entry in sorted(self.objects.entries(f"packages/{head}/{dataset}/"), key=lambda entry: entry.modified):
            name = entry.key.rpartition("/")[2].removesuffix(".json")
            with suppress(ValueError):
                files = json.loads(self.objects.read(entry.key))
                if sha256_of(files) == name:
                    packages[name] = files
        return packages
