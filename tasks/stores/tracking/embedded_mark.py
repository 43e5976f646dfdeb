"""A mark of the embedded MLflow, which differs as soon as anybody changes something there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from configs import schema
from tasks.stores.tracking.database import SQLITE, database_path, has_known_layout
from tasks.stores.tracking.embedded_registry import EmbeddedRegistry

# Where SQLite counts, in the file's head, how often the database was changed.
_COUNTER = slice(24, 28)


def mark_embedded(tracking: schema.Tracking) -> Mapping[str, Any] | None:
    """Return what shows that an embedded MLflow is as it was: its database, and the champion's files.

    Args:
        tracking: The address of MLflow, and the names of the experiment and the registered model.

    Returns:
        Sizes, times and SQLite's own counter, as JSON; None where MLflow has to be asked: it is a server, its files lie
        elsewhere, or a training is under way, which its next run closes if it died.
    """
    if not tracking.url.startswith(SQLITE) or not has_known_layout(tracking.url):
        return None
    registered, path = EmbeddedRegistry(tracking.url), database_path(tracking.url)
    files = _champion_files(registered, tracking.model)
    if files is None or registered.has_open_runs(tracking.experiment):
        return None
    with path.open("rb") as file:
        counter = file.read(_COUNTER.stop)[_COUNTER].hex()
    return {"database": [counter, *_describe(path)], "files": {name: _describe(file) for name, file in files.items()}}


def _champion_files(registered: EmbeddedRegistry, model: str) -> Mapping[str, Path] | None:
    """Return the champion's files by their names; none without a champion, None where they are not on this machine."""
    aliases, _ = registered.model(model) or ({}, {})
    if "champion" not in aliases:
        return {}
    source = urlsplit(registered.source(model, aliases["champion"]))
    if source.scheme not in {"", "file"}:
        return None
    folder = Path(unquote(source.path))
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(folder).as_posix(): path for path in paths}


def _describe(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino
