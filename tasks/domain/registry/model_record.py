"""The record of a model: all that it was made from, so that it can be made again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from textwrap import shorten
from typing import Any

from configs.schema import Settings
from tasks.domain.hashing import sha256_of
from tasks.domain.training.results import FeatureSet

# Where a model is kept and what it is judged by do not change it; aliases tell a former head's classes apart.
_TRAINING_SECTIONS = {"labels", "images", "backbone", "training", "fine_tuning"}


@dataclass(frozen=True, slots=True)
class Record:
    """A dataset version, settings, features and code, with the machine that did it, and the head that came out.

    ``features`` are those that training began with, ``made`` those that the head takes: others after fine-tuning.
    """

    dataset: str
    settings: Mapping[str, Any]
    features: FeatureSet
    made: FeatureSet
    head: str
    code: Mapping[str, str]
    machine: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Turn the record into what JSON can hold."""
        return asdict(self)


def trained_by_epochs(record: Record) -> bool:
    """Tell whether the head was trained by Adam in epochs, as all were before heads were fitted to their optimum."""
    return "epochs" in record.settings["training"]


def training_settings(settings: Settings) -> dict[str, Any]:
    """Keep the settings that decide what comes out of training."""
    return settings.model_dump(mode="json", include=_TRAINING_SECTIONS, exclude={"fine_tuning": {"trial"}})


def record_from_dict(fields: Mapping[str, Any]) -> Record:
    """Read what ``Record.plain`` wrote; raises KeyError or TypeError for anything else."""
    return Record(**{**fields, "features": FeatureSet(**fields["features"]), "made": FeatureSet(**fields["made"])})


# MLflow takes no more characters for a parameter; only a table of aliases can be so long.
_LONGEST = 6000


def recipe(settings: Settings) -> str:
    """Hash the settings that decide the model and its judgement: 64 hex digits."""
    sections = settings.model_dump(
        mode="json", include={"images", "backbone", "training", "fine_tuning", "evaluation", "gate"}
    )
    # The check came when stores had recipes already: as it is by itself, it leaves them what they were.
    if settings.gate.serve_check:
        del sections["gate"]["serve_check"]
    # So did what only one of the policies asks for.
    if settings.gate.needs != "likely-improvement":
        del sections["gate"]["more_data"]
    # A trial decides nothing.
    del sections["fine_tuning"]["trial"]
    return sha256_of(sections)


def flatten_settings(settings: Settings) -> dict[str, str]:
    """Write the settings flat, as ``training.seed``, the way two runs are compared."""
    sections = settings.model_dump(mode="json")
    return {
        f"{name}.{key}": shorten(str(value), _LONGEST)
        for name, section in sections.items()
        for key, value in section.items()
    }
