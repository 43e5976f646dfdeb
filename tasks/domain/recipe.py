"""The recipe: what a dataset version is turned into a model by."""

from textwrap import shorten

from configs.schema import Settings
from tasks.domain.canonical import sha256_of

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


def parameters(settings: Settings) -> dict[str, str]:
    """Write the settings flat, as ``training.seed``, the way two runs are compared."""
    sections = settings.model_dump(mode="json")
    return {
        f"{name}.{key}": shorten(str(value), _LONGEST)
        for name, section in sections.items()
        for key, value in section.items()
    }
