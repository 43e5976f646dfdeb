"""What people deleted in MLflow, and the command that brings it back: MLflow refuses every change of such a run."""

from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from configs.addresses import shown
from tasks.stores.mlflow_client import mlflow_at

#: What MLflow answers about a run that it never had, or has removed for good.
NO_SUCH_RUN = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}


def lifecycle(url: str, run_id: str) -> str:
    """Tell whether a run is active, deleted, or missing."""
    with mlflow_at(url) as client:
        try:
            return str(client.get_run(run_id).info.lifecycle_stage)
        except MlflowException as error:
            if error.error_code not in NO_SUCH_RUN:
                raise
            return "missing"


def way_back(url: str, run_id: str) -> str:
    """Say that a run was deleted, alone or with its experiment, and which command brings it back."""
    with mlflow_at(url) as client:
        experiment = client.get_experiment(client.get_run(run_id).info.experiment_id)
    if experiment.lifecycle_stage == "deleted":
        return experiment_deleted(url, experiment)
    return f"Its run was deleted in MLflow: {_command(url, f'runs restore --run-id {run_id}')} brings it back"


def experiment_deleted(url: str, experiment: Experiment) -> str:
    """Say that an experiment was deleted with all its runs, and which command brings it back."""
    command = _command(url, f"experiments restore --experiment-id {experiment.experiment_id}")
    return f"The experiment {experiment.name} was deleted in MLflow: {command} brings it and its runs back"


def _command(url: str, words: str) -> str:
    return f"MLFLOW_TRACKING_URI={shown(url)} mlflow {words}"
