"""MLflow's model registry: versions that load anywhere, their tags, and the aliases that follow the ledger."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from configs.visible_text import visible, visible_lines
from tasks.domain.registry.decisions import Decision, RegisteredVersion
from tasks.domain.runs.mlflow_texts import describe_model, is_replaceable
from tasks.stores.tracking.client import mlflow_at
from tasks.stores.tracking.database import has_known_layout
from tasks.stores.tracking.embedded_registry import EmbeddedRegistry
from tasks.stores.tracking.packages import files_in

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import Model

#: The tag of a registered model, and of each version, that names the store whose models these are.
STORE = "pedigree.store"

# MLflow's column for descriptions of versions holds no more characters.
_LONGEST = 5000

_Keep = Callable[[Path], object]


def version_of(url: str, model: str, decision: Decision) -> RegisteredVersion | None:
    """Return the registered version of a ledger's decision, whatever its number is now.

    Args:
        url: MLflow's address.
        model: The name of the registered model.
        decision: The decision.

    Returns:
        The version; of several equal ones the one whose number the decision names, else the first. None where MLflow
        has none.
    """
    tags = {"pedigree.head": decision.head, "pedigree.dataset": decision.dataset}
    matches = [version for version in find_versions(url, model, tags) if version.matches(decision)]
    return next(
        (version for version in matches if version.number == decision.model_version), matches[0] if matches else None
    )


def version_numbered(url: str, model: str, number: str) -> RegisteredVersion | None:
    """Return the version with this number.

    Args:
        url: MLflow's address.
        model: The name of the registered model.
        number: The number.

    Returns:
        The version; None where there is none.
    """
    if has_known_layout(url):
        return next((version for version in EmbeddedRegistry(url).versions(model) if version.number == number), None)
    with mlflow_at(url) as client, _unless_missing():
        return _version(client.get_model_version(model, number))
    return None


def find_versions(url: str, model: str, tags: Mapping[str, str]) -> list[RegisteredVersion]:
    """Return the versions that have all of these tags.

    Args:
        url: MLflow's address.
        model: The name of the registered model.
        tags: The tags.

    Returns:
        The versions in the order of their numbers.
    """
    if has_known_layout(url):
        versions = EmbeddedRegistry(url).versions(model)
        return [version for version in versions if tags.items() <= version.tags.items()]
    conditions = [f"name = '{model}'", *(f"tags.`{key}` = '{value}'" for key, value in tags.items())]
    with mlflow_at(url) as client:
        answers = client.search_model_versions(" AND ".join(conditions))
    return sorted(map(_version, answers), key=lambda version: int(version.number))


def find_version(url: str, model: str, tags: Mapping[str, str]) -> str | None:
    """Return the first version that has all of these tags, so that a repeated run does not register a model twice.

    Args:
        url: MLflow's address.
        model: The name of the registered model.
        tags: The tags.

    Returns:
        Its number; None where there is none.
    """
    return next((version.number for version in find_versions(url, model, tags)), None)


def remove_version(url: str, model: str, number: str) -> None:
    """Delete a version that nothing refers to yet, such as the second of two equal ones.

    Args:
        url: MLflow's address.
        model: The name of the registered model.
        number: The version's number.
    """
    with mlflow_at(url) as client, _unless_missing():
        client.delete_model_version(model, number)


def remove_model(url: str, model: str) -> None:
    """Delete a registered model with all of its versions, where there is one.

    Args:
        url: MLflow's address.
        model: The name of the registered model.
    """
    with mlflow_at(url) as client, _unless_missing():
        client.delete_registered_model(model)


def register(
    url: str,
    model: str,
    run_id: str,
    tags: Mapping[str, str],
    write: Callable[[Path, "Model"], None],
    keep: _Keep = files_in,
) -> str:
    """Register a packaged model as the run's model, and return its version.

    Args:
        url: MLflow's address.
        model: The name of the registered model.
        run_id: The run whose model it is.
        tags: The version's tags.
        write: Writes the folder that MLflow will serve; it is given the folder and the identity of run and model.
        keep: Is called with that folder before MLflow gets it.

    Returns:
        The version's number.
    """
    from mlflow.entities import LoggedModelOutput

    with mlflow_at(url) as client, TemporaryDirectory() as parent:
        experiment = client.get_run(run_id).info.experiment_id
        logged = client.create_logged_model(experiment, "model", run_id, dict(tags))
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
        folder = Path(parent) / "model"
        write(folder, _identity(logged))
        keep(folder)
        client.log_model_artifacts(logged.model_id, str(folder))
        client.finalize_logged_model(logged.model_id, "READY")
        return _create_version(client, model, logged, tags)


def read_aliases_and_tags(url: str, model: str) -> tuple[dict[str, str], dict[str, str]]:
    """Read the aliases and the tags of a registered model.

    Args:
        url: MLflow's address.
        model: The name of the registered model.

    Returns:
        The version of each alias, and the tags; both are empty before the first version.
    """
    if has_known_layout(url):
        return EmbeddedRegistry(url).model(model) or ({}, {})
    with mlflow_at(url) as client, _unless_missing():
        registered = client.get_registered_model(model)
        # An embedded database returns versions as numbers, a server as texts.
        return {alias: str(version) for alias, version in registered.aliases.items()}, dict(registered.tags)
    return {}, {}


def tag_model(url: str, model: str, name: str, text: str) -> None:
    """Set a tag of a registered model, if there is such a model.

    Args:
        url: MLflow's address.
        model: The name of the registered model.
        name: The tag's name.
        text: The tag's text; empty deletes the tag.
    """
    if has_known_layout(url):
        EmbeddedRegistry(url).tag_model(model, name, visible(text))
        return
    with mlflow_at(url) as client, _unless_missing():
        if text:
            client.set_registered_model_tag(model, name, visible(text))
        else:
            client.delete_registered_model_tag(model, name)


def set_alias(url: str, model: str, alias: str, version: str | None) -> bool:
    """Set or delete an alias of a registered model.

    Args:
        url: MLflow's address.
        model: The name of the registered model.
        alias: The alias.
        version: The version's number; None deletes the alias.

    Returns:
        False where MLflow has no such version.
    """
    if has_known_layout(url):
        return EmbeddedRegistry(url).set_alias(model, alias, version)
    with mlflow_at(url) as client, _unless_missing():
        if version is None:
            client.delete_registered_model_alias(model, alias)
        else:
            client.set_registered_model_alias(model, alias, version)
        return True
    return False


def tag_version(url: str, model: str, version: str, tags: Mapping[str, str], description: str = "") -> None:
    """Set tags of a version, and its description; tags of the same name are replaced.

    Args:
        url: MLflow's address.
        model: The name of the registered model.
        version: The version's number.
        tags: The tags.
        description: The description, as Markdown; empty leaves it as it is.
    """
    text, texts = visible_lines(description)[:_LONGEST], {name: visible(value) for name, value in tags.items()}
    if has_known_layout(url):
        EmbeddedRegistry(url).tag_version(model, version, texts, text)
        return
    with mlflow_at(url) as client:
        for name, value in texts.items():
            client.set_model_version_tag(model, version, name, value)
        if text:
            client.update_model_version(model, version, text)


@contextmanager
def _unless_missing() -> Iterator[None]:
    """Ignore errors that MLflow has no such model or version, as after a move to another MLflow."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def _version(model_version: "ModelVersion") -> RegisteredVersion:
    run, description = str(model_version.run_id or ""), str(model_version.description or "")
    return RegisteredVersion(str(model_version.version), run, dict(model_version.tags), description)


def _identity(logged: "LoggedModel") -> "Model":
    from mlflow.models import Model

    return Model(
        artifact_path=logged.artifact_location,
        run_id=logged.source_run_id,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
    )


def _create_version(client: "MlflowClient", model: str, logged: "LoggedModel", tags: Mapping[str, str]) -> str:
    from mlflow.exceptions import MlflowException
    from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

    owner = {STORE: tags[STORE]} if STORE in tags else {}
    try:
        client.create_registered_model(model, owner, describe_model(model))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        # One from an earlier Pedigree has none yet; a person's stays.
        former = str(client.get_registered_model(model).description or "")
        if is_replaceable(former) and former != describe_model(model):
            client.update_registered_model(model, describe_model(model))
    # The location and not models:/<id>, which an embedded database would look up in another database.
    source, run_id, identity = logged.artifact_location, logged.source_run_id, logged.model_id
    version = str(client.create_model_version(model, source, run_id, dict(tags), model_id=identity).version)
    # As MLflow's own registration does, so that the run's page names the version.
    client.set_logged_model_tags(identity, {MLFLOW_MODEL_VERSIONS: json.dumps([{"name": model, "version": version}])})
    return version
