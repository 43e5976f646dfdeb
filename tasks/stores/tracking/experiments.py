"""The experiment in MLflow: found or created, with its kind, its description and its saved view."""

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of
from tasks.domain.runs.mlflow_summary import COLUMNS
from tasks.domain.runs.mlflow_texts import DESCRIPTION, describe_experiment
from tasks.stores.tracking.client import experiment_deleted, mlflow_at
from tasks.stores.tracking.database import SQLITE, database_path

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: The view's name in an address: ``#/experiments/1/runs?viewStateShareKey=pedigree-nights``.
VIEW = "pedigree-nights"
# Without a kind MLflow asks for one, or guesses it.
_KIND, _TRAINING = "mlflow.experimentKind", "custom_model_development"
# Tells which view Pedigree wrote last, so that later columns replace it, and what a person changed stays till then.
_WRITTEN = "pedigree.view"
# Widths of columns in pixels: texts, and figures. A window of 1280 shows them up to how many photographs were new.
_NAME = "attributes.`Run Name`"
_WIDE = {_NAME: 260, "tags.`pedigree.outcome`": 130, "tags.`pedigree.reason`": 420, "attributes.`Source`": 150}
_NARROW = 100


def saved_view() -> dict[str, str]:
    """Return the experiment's tags for the view *Nights*, as MLflow's pages write it since 3.17; older ignore it."""
    state = {
        "selectedColumns": list(COLUMNS),
        "columnOrder": [_NAME, *COLUMNS],  # Only columns in this list get a width.
        "columnWidths": dict.fromkeys(COLUMNS, _NARROW) | _WIDE,
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
    }
    view = {"name": "Nights", "createdAt": int(time.time() * 1000), "state": json.dumps(state)}
    return {f"mlflow.sharedViewState.{VIEW}": json.dumps(view), _WRITTEN: sha256_of(state)[:12]}


def check_experiment(url: str, experiment: str) -> None:
    """Check that the experiment was not deleted, since MLflow would take no runs until it is restored.

    Args:
        url: MLflow's address.
        experiment: The experiment's name; it is created where there is none.

    Raises:
        PedigreeError: It was deleted.
    """
    with mlflow_at(url) as client:
        ensure_experiment(client, url, experiment)


def ensure_experiment(client: "MlflowClient", url: str, name: str) -> str:
    """Find an experiment with its kind, description and saved view, or create it.

    Args:
        client: MLflow's client.
        url: MLflow's address.
        name: The experiment's name.

    Returns:
        The experiment's id.

    Raises:
        MlflowException: MLflow refuses a request.
        PedigreeError: Somebody deleted the experiment.
    """
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            number = str(client.create_experiment(name, _artifacts(url), {_KIND: _TRAINING, **saved_view()}))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return ensure_experiment(client, url, name)
        _set_tag(client, number, DESCRIPTION, describe_experiment(number, VIEW))
        return number
    if experiment.lifecycle_stage == "deleted":
        raise PedigreeError(f"{experiment_deleted(url, experiment)}; or name another one in tracking.experiment.")
    for key, value in _missing_tags(str(experiment.experiment_id), experiment.tags).items():
        _set_tag(client, str(experiment.experiment_id), key, value)
    return str(experiment.experiment_id)


def _set_tag(client: "MlflowClient", number: str, key: str, value: str) -> None:
    """Set a tag of an experiment; MLflow refuses the slower one of two runs that set a new tag at the same time."""
    from mlflow.exceptions import MlflowException

    try:
        client.set_experiment_tag(number, key, value)
    except MlflowException:
        if key not in client.get_experiment(number).tags:
            raise


def _missing_tags(number: str, tags: Mapping[str, str]) -> dict[str, str]:
    """Return what an experiment of a person, or of an earlier Pedigree, lacks; a description of theirs stays."""
    view = saved_view()
    wanted_tags = {_KIND: _TRAINING, DESCRIPTION: describe_experiment(number, VIEW)}
    missing = {key: value for key, value in wanted_tags.items() if not tags.get(key)}
    return missing if tags.get(_WRITTEN) == view[_WRITTEN] else {**missing, **view}


def _artifacts(url: str) -> str | None:
    """Keep files beside an embedded database; left to itself, MLflow puts them into the current folder."""
    return (database_path(url).parent / "mlflow-artifacts").as_uri() if url.startswith(SQLITE) else None
