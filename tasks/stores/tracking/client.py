"""MLflow's client: silent, with every failure as one sentence; and whether MLflow is usable."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from configs.credentials import set_mlflow_login
from configs.errors import PedigreeError, ServiceUnavailableError, SettingsError
from configs.visible_text import shown
from tasks.stores.objects.transient_errors import is_transient
from tasks.stores.tracking.database import SQLITE, check_database

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment
    from mlflow.exceptions import MlflowException
    from mlflow.utils.rest_utils import MlflowHostCreds

_REFUSED = ("UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED", "PERMISSION_DENIED")


@contextmanager
def mlflow_at(url: str) -> Iterator["MlflowClient"]:
    """Yield a client of the MLflow at this address, whose import takes more than a second.

    Raises:
        PedigreeError: MLflow does not answer, or refuses a request.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    _silence_mlflow()
    set_mlflow_login(url)
    try:
        yield MlflowClient(tracking_uri=url, registry_uri=url)
    except MlflowException as error:
        failure = _translate_error(url, error)
        raise failure from error
    except OSError as error:
        message = f"MLflow at {shown(url)} could not take the files ({error.strerror or type(error).__name__})."
        raise PedigreeError(message) from error


def credentials(url: str) -> "MlflowHostCreds":
    """Return the credentials for the server at this address."""
    from mlflow.utils.credentials import get_default_host_creds

    _silence_mlflow()
    set_mlflow_login(url)
    host_credentials: MlflowHostCreds = get_default_host_creds(url)  # type: ignore[no-untyped-call]
    return host_credentials


@cache
def _silence_mlflow() -> None:
    """Keep a terminal, and --json, free of the links that MLflow prints and of the lines that it logs."""
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    # This logger writes a traceback before the error is raised.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


def unavailable(url: str) -> ServiceUnavailableError:
    """Return the error that nothing answers at this address."""
    return ServiceUnavailableError(f"MLflow at {shown(url)} does not answer: start it there, or correct tracking.url.")


def unauthorized(url: str) -> PedigreeError:
    """Return the error that MLflow wants other credentials."""
    variables = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    return PedigreeError(f"MLflow at {shown(url)} refuses the name, password or token: set {variables}.")


def _translate_error(url: str, error: "MlflowException") -> PedigreeError:
    from requests import RequestException

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
    """Return whether a run is active, deleted or missing.

    Args:
        url: MLflow's address.
        run_id: The run.

    Returns:
        MLflow's lifecycle stage, or ``missing``.

    Raises:
        MlflowException: Any other failure, which ``mlflow_at`` turns into a PedigreeError.
    """
    from mlflow.exceptions import MlflowException

    with mlflow_at(url) as client:
        try:
            return str(client.get_run(run_id).info.lifecycle_stage)
        except MlflowException as error:
            if error.error_code not in NO_SUCH_RUN:
                raise
            return "missing"


def describe_restore(url: str, run_id: str) -> str:
    """Return a sentence that a run was deleted, alone or with its experiment, and which command restores it.

    Args:
        url: MLflow's address.
        run_id: The run.

    Returns:
        The sentence.
    """
    with mlflow_at(url) as client:
        experiment = client.get_experiment(client.get_run(run_id).info.experiment_id)
    if experiment.lifecycle_stage == "deleted":
        return experiment_deleted(url, experiment)
    return f"Its run was deleted in MLflow: {_command(url, f'runs restore --run-id {run_id}')} brings it back"


def experiment_deleted(url: str, experiment: "Experiment") -> str:
    """Return a sentence that an experiment was deleted with all its runs, and which command restores it.

    Args:
        url: MLflow's address.
        experiment: The experiment.

    Returns:
        The sentence.
    """
    command = _command(url, f"experiments restore --experiment-id {experiment.experiment_id}")
    return f"The experiment {experiment.name} was deleted in MLflow: {command} brings it and its runs back"


def _command(url: str, words: str) -> str:
    return f"MLFLOW_TRACKING_URI={shown(url)} mlflow {words}"


_PATIENCE = 10  # Seconds that a server may take to answer.
_SERVERS = ("http://", "https://")


def check_address(url: str) -> None:
    """Check that an address can be one of MLflow, without asking it.

    Raises:
        SettingsError: It is neither a server's nor that of a database file.
    """
    if not url.startswith((SQLITE, *_SERVERS)):
        remedy = "set tracking.url to http://…, https://… or sqlite:///path/mlflow.db"
        message = f"{shown(url)} is no address of MLflow: {remedy}."
        raise SettingsError(message)


def check_tracking(url: str) -> None:
    """Check, within seconds, that MLflow is usable.

    Raises:
        SettingsError: The address is not one of MLflow.
        PedigreeError: MLflow does not answer, wants other credentials, or is too old.
    """
    check_address(url)
    if url.startswith(SQLITE):
        check_database(url)
    else:
        _check_server(url)


def _check_server(url: str) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.utils.rest_utils import http_request

    try:
        answer = http_request(  # type: ignore[no-untyped-call]
            credentials(url),
            "/api/2.0/mlflow/experiments/search",
            "GET",
            params={"max_results": 1},
            max_retries=0,
            timeout=_PATIENCE,
            raise_on_status=False,
        )
    except MlflowException as error:
        raise unavailable(url) from error
    if answer.status_code in {401, 403}:
        raise unauthorized(url)
    if answer.status_code >= 500:  # noqa: PLR2004
        raise unavailable(url)
    if not (answer.ok and answer.text.startswith("{")):
        message = (
            f"{shown(url)} answers, but not as MLflow does (HTTP status {answer.status_code}): correct tracking.url."
        )
        raise PedigreeError(message)
