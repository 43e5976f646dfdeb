"""The model registry of an embedded MLflow database, read and tagged by SQL, as MLflow's own store does it.

MLflow takes a second and a half to import and half a second to open a database; a roll-back changes about a dozen rows.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time_ns
from urllib.parse import unquote, urlsplit

from configs.errors import PedigreeError, ServiceUnavailableError
from configs.visible_text import shown
from tasks.domain.registry.decisions import RegisteredVersion
from tasks.stores.tracking.database import database_path, transaction

# 'default' is MLflow's word for the one workspace of a database without workspaces, 'Deleted_Internal' its word for a
# version that is deleted.
_HAS_MODEL = "SELECT 1 FROM registered_models WHERE workspace = 'default' AND name = ?"
_HAS_VERSION = """SELECT 1 FROM model_versions WHERE workspace = 'default' AND name = ? AND version = ?
    AND current_stage != 'Deleted_Internal'"""
_SOURCE = "SELECT source FROM model_versions WHERE workspace = 'default' AND name = ? AND version = ?"
_OPEN_RUNS = """SELECT 1 FROM runs JOIN experiments USING (experiment_id)
    WHERE experiments.name = ? AND runs.status = 'RUNNING' AND runs.lifecycle_stage = 'active'"""
_ARTIFACTS = "SELECT artifact_uri FROM runs WHERE run_uuid = ?"
_PARAMETERS = "SELECT key, value FROM params WHERE run_uuid = ?"
_EXPERIMENT = "SELECT experiment_id FROM runs WHERE run_uuid = ?"
_IS_ACTIVE = "SELECT 1 FROM runs WHERE run_uuid = ? AND lifecycle_stage = 'active'"
_ALIASES = "SELECT alias, version FROM registered_model_aliases WHERE workspace = 'default' AND name = ?"
_TAGS = "SELECT key, value FROM registered_model_tags WHERE workspace = 'default' AND name = ?"
_VERSIONS = """SELECT version, run_id, description FROM model_versions WHERE workspace = 'default' AND name = ?
    AND current_stage != 'Deleted_Internal' ORDER BY version"""
_VERSION_TAGS = "SELECT version, key, value FROM model_version_tags WHERE workspace = 'default' AND name = ?"
_PUT_TAG = """INSERT INTO registered_model_tags (workspace, name, key, value) VALUES ('default', ?, ?, ?)
    ON CONFLICT (workspace, key, name) DO UPDATE SET value = excluded.value"""
_REMOVE_TAG = "DELETE FROM registered_model_tags WHERE workspace = 'default' AND name = ? AND key = ?"
_PUT_ALIAS = """INSERT INTO registered_model_aliases (workspace, name, alias, version) VALUES ('default', ?, ?, ?)
    ON CONFLICT (workspace, name, alias) DO UPDATE SET version = excluded.version"""
_REMOVE_ALIAS = "DELETE FROM registered_model_aliases WHERE workspace = 'default' AND name = ? AND alias = ?"
_PUT_VERSION_TAG = """INSERT INTO model_version_tags (workspace, name, version, key, value)
    VALUES ('default', ?, ?, ?, ?)
    ON CONFLICT (workspace, key, name, version) DO UPDATE SET value = excluded.value"""
_DESCRIBE_VERSION = """UPDATE model_versions SET description = ?, last_updated_time = ?
    WHERE workspace = 'default' AND name = ? AND version = ?"""
_RUN_TAGS = "SELECT key, value FROM tags WHERE run_uuid = ?"
_NAME_RUN = "UPDATE runs SET name = ? WHERE run_uuid = ?"
# MLflow keeps a run's name twice.
_NAME = "mlflow.runName"
_PUT_RUN_TAG = """INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?)
    ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value"""


@dataclass(frozen=True)
class EmbeddedRegistry:
    """The registered models in the database at an address, whose layout is known."""

    url: str

    def model(self, name: str) -> tuple[dict[str, str], dict[str, str]] | None:
        """Return the version of each alias and the tags of a registered model; None where there is no such model."""
        with self._reading() as database:
            if not _finds(database, _HAS_MODEL, name):
                return None
            aliases, tags = (database.execute(query, (name,)).fetchall() for query in (_ALIASES, _TAGS))
        return {alias: str(version) for alias, version in aliases}, dict(tags)

    def versions(self, name: str) -> list[RegisteredVersion]:
        """Return all versions of a registered model in the order of their numbers."""
        with self._reading() as database:
            runs, rows = (database.execute(query, (name,)).fetchall() for query in (_VERSIONS, _VERSION_TAGS))
        tags: defaultdict[int, dict[str, str]] = defaultdict(dict)
        for version, key, value in rows:
            tags[version][key] = value
        return [RegisteredVersion(str(version), run or "", tags[version], text or "") for version, run, text in runs]

    def source(self, name: str, version: str) -> str:
        """Return where the files of a version are; empty where there is no such version.

        Args:
            name: The name of the registered model.
            version: The version's number.

        Returns:
            Their address.
        """
        with self._reading() as database:
            row = database.execute(_SOURCE, (name, int(version))).fetchone()
        return str(row[0]) if row else ""

    def has_open_runs(self, experiment: str) -> bool:
        """Check whether any run of an experiment has not ended."""
        with self._reading() as database:
            return _finds(database, _OPEN_RUNS, experiment)

    def experiment(self, run_id: str) -> str:
        """Return the number of the experiment that a run belongs to; empty where there is no such run."""
        with self._reading() as database:
            row = database.execute(_EXPERIMENT, (run_id,)).fetchone()
        return str(row[0]) if row else ""

    def tag_model(self, name: str, key: str, text: str) -> None:
        """Set a tag of a registered model, if there is such a model.

        Args:
            name: The name of the registered model.
            key: The tag's name.
            text: The tag's text; empty deletes the tag.
        """
        with transaction(self.url) as database:
            if _finds(database, _HAS_MODEL, name):
                database.execute(*((_PUT_TAG, (name, key, text)) if text else (_REMOVE_TAG, (name, key))))

    def set_alias(self, name: str, alias: str, version: str | None) -> bool:
        """Set or delete an alias of a registered model.

        Args:
            name: The name of the registered model.
            alias: The alias.
            version: The version's number; None deletes the alias.

        Returns:
            False where there is no such version or model.
        """
        with transaction(self.url) as database:
            if version is None:
                database.execute(_REMOVE_ALIAS, (name, alias))
                return _finds(database, _HAS_MODEL, name)
            exists = _finds(database, _HAS_VERSION, name, version)
            if exists:
                database.execute(_PUT_ALIAS, (name, alias, int(version)))
            return exists

    def tag_version(self, name: str, version: str, tags: Mapping[str, str], description: str = "") -> None:
        """Set tags of a version, and its description; tags of the same name are replaced.

        Args:
            name: The name of the registered model.
            version: The version's number.
            tags: The tags.
            description: The description; empty leaves it as it is.

        Raises:
            PedigreeError: There is no such version.
        """
        with transaction(self.url) as database:
            if not _finds(database, _HAS_VERSION, name, version):
                raise PedigreeError(f"MLflow at {shown(self.url)} refused: {name} has no version {version}.")
            database.executemany(_PUT_VERSION_TAG, [(name, int(version), *tag) for tag in tags.items()])
            if description:
                database.execute(_DESCRIBE_VERSION, (description, time_ns() // 10**6, name, int(version)))

    def tag_run(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run; tags of the same name are replaced.

        Args:
            run_id: The run.
            tags: The tags.

        Raises:
            PedigreeError: The run is gone, or was deleted.
        """
        with transaction(self.url) as database:
            if not _finds(database, _IS_ACTIVE, run_id):
                raise PedigreeError(f"MLflow at {shown(self.url)} refused: there is no active run {run_id}.")
            database.executemany(_PUT_RUN_TAG, [(run_id, *tag) for tag in tags.items()])
            if _NAME in tags:
                database.execute(_NAME_RUN, (tags[_NAME], run_id))

    def run_tags(self, run_id: str) -> dict[str, str]:
        """Return the tags of a run; none where there is no such run."""
        with self._reading() as database:
            return dict(database.execute(_RUN_TAGS, (run_id,)).fetchall())

    def run_parameters(self, run_id: str) -> dict[str, str]:
        """Return the parameters of a run; none where there is no such run."""
        with self._reading() as database:
            return dict(database.execute(_PARAMETERS, (run_id,)).fetchall())

    def run_folder(self, run_id: str) -> Path | None:
        """Return where the files of a run are; None where they are not on this machine, or there is no such run."""
        with self._reading() as database:
            row = database.execute(_ARTIFACTS, (run_id,)).fetchone()
        address = urlsplit(row[0] if row else "")
        return Path(unquote(address.path)) if address.path and address.scheme in {"", "file"} else None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(f"{database_path(self.url).as_uri()}?mode=ro", uri=True)) as database:
                yield database
        except sqlite3.Error as error:
            raise ServiceUnavailableError(f"MLflow at {shown(self.url)} refused: {error}.") from error


def _finds(database: sqlite3.Connection, query: str, *values: str) -> bool:
    return database.execute(query, values).fetchone() is not None
