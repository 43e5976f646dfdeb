"""The models in MLflow: versions that load anywhere, their tags, and the aliases that follow the ledger."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from configs.errors import SettingsError
from configs.visible_text import shown, visible
from tasks.domain.registry.decisions import Decision
from tasks.stores.store import Store
from tasks.stores.tracking.client import mlflow_at
from tasks.stores.tracking.packages import files_in

#: The tag of a registered model, and of each version, that names the store whose models these are.
STORE = "pedigree.store"

_Keep = Callable[[Path], object]


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A registered version: its number, the run that it came from, and its tags, which alone say which model it is."""

    number: str
    run_id: str
    tags: Mapping[str, str]

    def matches(self, decision: Decision) -> bool:
        """Tell whether this is the model that a decision is about: the same weights, of the same data and recipe."""
        expected = {"pedigree.head": decision.head, "pedigree.dataset": decision.dataset}
        same = all(self.tags.get(name) == value for name, value in expected.items())
        return same and self.tags.get("pedigree.recipe", decision.recipe) == decision.recipe


def version_of(url: str, model: str, decision: Decision) -> RegisteredVersion | None:
    """Return the registered version of a ledger's decision, whatever its number is now; None where MLflow lacks it.

    Of several equal ones it is that whose number the decision names, else the first.
    """
    tags = {"pedigree.head": decision.head, "pedigree.dataset": decision.dataset}
    matches = [version for version in find_versions(url, model, tags) if version.matches(decision)]
    return next(
        (version for version in matches if version.number == decision.model_version), matches[0] if matches else None
    )


def version_numbered(url: str, model: str, number: str) -> RegisteredVersion | None:
    """Return the version that has this number now; None where there is none."""
    with mlflow_at(url) as client, _unless_missing():
        return _version(client.get_model_version(model, number))
    return None


def find_versions(url: str, model: str, tags: Mapping[str, str]) -> list[RegisteredVersion]:
    """Return the versions that carry all of these tags, the first one first."""
    conditions = [f"name = '{model}'", *(f"tags.`{key}` = '{value}'" for key, value in tags.items())]
    with mlflow_at(url) as client:
        versions = client.search_model_versions(" AND ".join(conditions))
    return sorted(map(_version, versions), key=lambda version: int(version.number))


def find_version(url: str, model: str, tags: Mapping[str, str]) -> str | None:
    """Name the first version that carries all of these tags, so that a repeated night does not register twice."""
    return next((version.number for version in find_versions(url, model, tags)), None)


def remove_version(url: str, model: str, number: str) -> None:
    """Take away a version that nobody has named yet, such as the second of two equal ones."""
    with mlflow_at(url) as client, _unless_missing():
        client.delete_model_version(model, number)


def register(
    url: str,
    model: str,
    run_id: str,
    tags: Mapping[str, str],
    write: Callable[[Path, Model], None],
    keep: _Keep = files_in,
) -> str:
    """Register a packaged model as the run's model, and return its version.

    Args:
        url: MLflow's address.
        model: The name of the registered model.
        run_id: The run whose model it is.
        tags: What the version says of itself.
        write: Writes the folder that MLflow will serve, which names the run and the model by what it is given.
        keep: Is given the folder that MLflow will serve, before MLflow gets it.
    """
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
    """Read which version each alias names, and the model's own tags; both are empty before the first version."""
    with mlflow_at(url) as client, _unless_missing():
        registered = client.get_registered_model(model)
        # An embedded database gives versions as numbers, a server as texts.
        return {alias: str(version) for alias, version in registered.aliases.items()}, dict(registered.tags)
    return {}, {}


def tag_model(url: str, model: str, name: str, text: str) -> None:
    """Write a tag onto the model itself, if there is one, or take it away where there is nothing to say."""
    with mlflow_at(url) as client, _unless_missing():
        if text:
            client.set_registered_model_tag(model, name, visible(text))
        else:
            client.delete_registered_model_tag(model, name)


def set_alias(url: str, model: str, alias: str, version: str | None) -> bool:
    """Let an alias name this version, or nothing; return False where MLflow holds no such version."""
    with mlflow_at(url) as client, _unless_missing():
        if version is None:
            client.delete_registered_model_alias(model, alias)
        else:
            client.set_registered_model_alias(model, alias, version)
        return True
    return False


def tag_version(url: str, model: str, version: str, tags: Mapping[str, str]) -> None:
    """Write tags onto a version, in place of those of the same name."""
    with mlflow_at(url) as client:
        for name, value in tags.items():
            client.set_model_version_tag(model, version, name, visible(value))


@contextmanager
def _unless_missing() -> Iterator[None]:
    """Pass over what fails since MLflow holds no such model or version, as after a move to another MLflow."""
    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def _version(model_version: ModelVersion) -> RegisteredVersion:
    return RegisteredVersion(str(model_version.version), str(model_version.run_id or ""), dict(model_version.tags))


def _identity(logged: LoggedModel) -> Model:
    return Model(
        artifact_path=logged.artifact_location,
        run_id=logged.source_run_id,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
    )


def _create_version(client: MlflowClient, model: str, logged: LoggedModel, tags: Mapping[str, str]) -> str:
    owner = {STORE: tags[STORE]} if STORE in tags else {}
    try:
        client.create_registered_model(model, owner)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    # The place and not models:/<id>, which an embedded database would look up in another database.
    source, run_id, identity = logged.artifact_location, logged.source_run_id, logged.model_id
    version = str(client.create_model_version(model, source, run_id, dict(tags), model_id=identity).version)
    # What MLflow's own registration writes too, so that the run's page names the version.
    client.set_logged_model_tags(identity, {MLFLOW_MODEL_VERSIONS: json.dumps([{"name": model, "version": version}])})
    return version


def check_owner(store: Store, url: str, model: str, tags: Mapping[str, str]) -> None:
    """Raise SettingsError where a registered model with these tags is another store's.

    One from before models were tagged becomes this store's, if this store made each version that Pedigree registered.
    """
    identity = store.identity()
    if tags.get(STORE) == identity:
        return
    if STORE in tags or _foreign(store, url, model):
        free = next(name for number in count(2) if _free(url, name := f"{model}-{number}"))
        owner = f"The model {model} in MLflow at {shown(url)} belongs to another store than {store.url}"
        advice = f"set tracking.model to {free}, which is free"
        raise SettingsError(f"{owner}, and one name cannot say which of two models serves: {advice}.")
    tag_model(url, model, STORE, identity)


def _foreign(store: Store, url: str, model: str) -> bool:
    """Tell whether MLflow holds versions that this store neither has a record of nor has decided about."""
    own_models = {entry.key.removeprefix("models/").removesuffix(".json") for entry in store.objects.entries("models/")}
    own_models |= {f"{version.head}/{version.dataset}" for version in store.ledger.entries()}
    registered = (version.tags for version in find_versions(url, model, {}))
    return any(f"{tags.get('pedigree.head')}/{tags.get('pedigree.dataset')}" not in own_models for tags in registered)


def _free(url: str, model: str) -> bool:
    return read_aliases_and_tags(url, model) == ({}, {}) and not find_versions(url, model, {})
