"""The record of a model: all that it was made from, so that it can be made again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from configs.schema import Settings
from tasks.domain.night import FeatureSet

# Where a model is kept and what it is judged by do not change it; aliases tell a former head's classes apart.
_MADE_BY = {"labels", "images", "backbone", "training", "fine_tuning"}


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

    def plain(self) -> dict[str, Any]:
        """Turn the record into what JSON can hold."""
        return asdict(self)


def by_epochs(record: Record) -> bool:
    """Tell whether the head was trained by Adam in epochs, as all were before heads were fitted to their optimum."""
    return "epochs" in record.settings["training"]


def settings_of(settings: Settings) -> dict[str, Any]:
    """Keep the settings that decide what comes out of training."""
    return settings.model_dump(mode="json", include=_MADE_BY, exclude={"fine_tuning": {"trial"}})


def record_from(plain: Mapping[str, Any]) -> Record:
    """Read what ``Record.plain`` wrote; raises KeyError or TypeError for anything else."""
    return Record(**{**plain, "features": FeatureSet(**plain["features"]), "made": FeatureSet(**plain["made"])})
