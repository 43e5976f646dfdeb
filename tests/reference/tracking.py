"""The metrics, tags and tables that Pedigree writes into MLflow."""

import re
from collections.abc import Sequence

from tasks.domain.runs.mlflow_names import (
    COMPARED_FILES,
    METRICS,
    MODEL_TAGS,
    RUN_TAGS,
    TABLES,
    VERSION_TAGS,
    TrackedName,
)

_NAMES: dict[str, Sequence[TrackedName]] = {
    "metrics": METRICS,
    "run-tags": RUN_TAGS,
    "version-tags": VERSION_TAGS,
    "model-tags": MODEL_TAGS,
    "tables": [*TABLES, *COMPARED_FILES],
}


def list_tracked_names(words: Sequence[str]) -> str:
    """Return a table of names in MLflow with their meaning.

    Args:
        words: Which names.

    Returns:
        The table.
    """
    rows = [f"| `{name}` | {meaning} |" for word in words for name, meaning in _NAMES[word]]
    return "\n".join(["| name | what it says |", "|---|---|", *rows])


def is_tracked(name: str, names: Sequence[TrackedName]) -> bool:
    """Return whether a name in MLflow is one of these, with its placeholders filled in.

    Args:
        name: The name of a metric, a tag or a file.
        names: Those that are known.

    Returns:
        Whether one of them is its pattern.
    """
    patterns = (re.sub(r"<[^>]*>", ".+", re.escape(tracked.name)) for tracked in names)
    return any(re.fullmatch(pattern, name) for pattern in patterns)
