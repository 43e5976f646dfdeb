"""The one way to MLflow: a quiet client, and every failure told in one sentence."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import MlflowHostCreds
from requests import RequestException

from configs.addresses import shown
from configs.credentials import introduce_to_mlflow
from configs.errors import PedigreeError, ServiceUnavailableError
from tasks.stores.objects.transient_errors import is_transient

_REFUSED = ("UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED", "PERMISSION_DENIED")

# MLflow prints links to standard output and its diary to standard error: a terminal, and --json, want neither.
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
logging.getLogger("mlflow").setLevel(logging.WARNING)
# This one writes a traceback before it raises what is told in one sentence below.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


@contextmanager
def mlflow_at(url: str) -> Iterator[MlflowClient]:
    """Lend a client of the MLflow at this address; raise PedigreeError for whatever goes wrong there."""
    introduce_to_mlflow(url)
    try:
        yield MlflowClient(tracking_uri=url, registry_uri=url)
    except MlflowException as error:
        raise _translate_error(url, error) from error
    except OSError as error:
        message = f"MLflow at {shown(url)} could not take the files ({error.strerror or type(error).__name__})."
        raise PedigreeError(message) from error


def credentials(url: str) -> MlflowHostCreds:
    """Look up who we are to the server at this address."""
    introduce_to_mlflow(url)
    host_credentials: MlflowHostCreds = get_default_host_creds(url)  # type: ignore[no-untyped-call]
    return host_credentials


def unavailable(url: str) -> ServiceUnavailableError:
    """Say that nothing answers at this address."""
    return ServiceUnavailableError(f"MLflow at {shown(url)} does not answer: start it there, or correct tracking.url.")


def unauthorized(url: str) -> PedigreeError:
    """Say that MLflow wants other credentials."""
    variables = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    return PedigreeError(f"MLflow at {shown(url)} refuses the name, password or token: set {variables}.")


def _translate_error(url: str, error: MlflowException) -> PedigreeError:
    if isinstance(error.__context__, RequestException):
        return unavailable(url)
    if error.error_code in _REFUSED:
        return unauthorized(url)
    message = re.sub("^[A-Z_]+: ", "", str(error).partition("\n")[0].strip().rstrip("."))
    status = error.get_http_status_code()  # type: ignore[no-untyped-call]
    kind = ServiceUnavailableError if is_transient(status) else PedigreeError
    return kind(f"MLflow at {shown(url)} refused: {shown(message)}.")


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


def describe_restore(url: str, run_id: str) -> str:
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
