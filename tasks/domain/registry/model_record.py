"""Model records: everything that a model was made from, and the hash of the settings."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from textwrap import shorten
from typing import Any

from configs.schema import Settings
from tasks.domain.hashing import sha256_of
from tasks.domain.training.results import FeatureSet

# The store and the gate do not change what comes out of training. Labels are among these sections for their aliases,
# which tell the classes of a former head apart.
_TRAINING_SECTIONS = {"labels", "images", "backbone", "training", "fine_tuning"}
_LONGEST = 6000  # MLflow accepts no longer parameter; only a table of aliases can be so long.
# Settings that came when stores had hashes already; with their defaults they change nothing.
_LATER = {"backbone": ("engine", "batch", "computing"), "training": ("most",), "gate": ("serve_check", "live_answers")}


@dataclass(frozen=True, slots=True)
class Record:
    """What a model was made from, and the head that came out.

    Attributes:
        dataset: The hash of the dataset version.
        settings: The settings that decide what comes out of training.
        features: The features that training began with.
        made: The features that the head takes, which are others after fine-tuning.
        head: The hash of the head.
        code: The commit and the lock file.
        machine: The processor, the cores, and the versions of the libraries.
    """

    dataset: str
    settings: Mapping[str, Any]
    features: FeatureSet
    made: FeatureSet
    head: str
    code: Mapping[str, str]
    machine: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the record as values that JSON can hold."""
        return asdict(self)


def trained_by_epochs(record: Record) -> bool:
    """Return whether the head was trained by Adam in epochs, as all heads once were, instead of to its optimum."""
    return "epochs" in record.settings["training"]


def training_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings that decide what comes out of training."""
    sections = settings.model_dump(mode="json", include=_TRAINING_SECTIONS, exclude={"fine_tuning": {"trial"}})
    return _with_later_settings(sections, settings)


def record_from_dict(fields: Mapping[str, Any]) -> Record:
    """Build a record from what ``Record.to_dict`` returned.

    Args:
        fields: The fields of the record.

    Returns:
        The record.

    Raises:
        KeyError: A part is missing.
        TypeError: A field is missing or unknown.
    """
    return Record(**{**fields, "features": FeatureSet(**fields["features"]), "made": FeatureSet(**fields["made"])})


def hash_settings(settings: Settings) -> str:
    """Return the hash of the settings that decide the model and its evaluation: 64 hex digits."""
    chosen = {"images", "backbone", "training", "fine_tuning", "evaluation", "gate"}
    sections = settings.model_dump(mode="json", include=chosen)
    # Only this policy uses it.
    if settings.gate.needs != "likely-improvement":
        del sections["gate"]["more_data"]
    del sections["fine_tuning"]["trial"]  # A trial decides nothing.
    return sha256_of(_with_later_settings(sections, settings))


def _with_later_settings(sections: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Leave out later settings with their defaults, since stores had hashes without them, and add another limit."""
    for section, name in ((section, name) for section, names in _LATER.items() for name in names):
        if section in sections and getattr(settings, section).is_default(name):
            del sections[section][name]
    limit = settings.scale.in_memory
    return sections if settings.scale.is_default("in_memory") else {**sections, "scale": {"in_memory": limit}}


def flatten_settings(settings: Settings) -> dict[str, str]:
    """Return the settings under flat names such as ``training.seed``, for comparing runs."""
    sections = settings.model_dump(mode="json")
    return {
        f"{name}.{key}": shorten(str(value), _LONGEST)
        for name, section in sections.items()
        for key, value in section.items()
    }
