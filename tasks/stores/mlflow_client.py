"""The one way to MLflow: a quiet client, and every failure told in one sentence."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import MlflowHostCreds
from requests import RequestException

from configs.addresses import shown
from configs.logins import introduce_to_mlflow
from configs.problems import Outage, Problem
from tasks.domain.refusals import passing

_REFUSED = ("UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED", "PERMISSION_DENIED")

# MLflow prints links to standard output and its diary to standard error: a terminal, and --json, want neither.
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
logging.getLogger("mlflow").setLevel(logging.WARNING)
# This one writes a traceback before it raises what is told in one sentence below.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


@contextmanager
def mlflow_at(url: str) -> Iterator[MlflowClient]:
    """Lend a client of the MLflow at this address; raise Problem for whatever goes wrong there."""
    introduce_to_mlflow(url)
    try:
        yield MlflowClient(tracking_uri=url, registry_uri=url)
    except MlflowException as error:
        raise _problem(url, error) from error
    except OSError as error:
        message = f"MLflow at {shown(url)} could not take the files ({error.strerror or type(error).__name__})."
        raise Problem(message) from error


def credentials(url: str) -> MlflowHostCreds:
    """Look up who we are to the server at this address."""
    introduce_to_mlflow(url)
    found: MlflowHostCreds = get_default_host_creds(url)  # type: ignore[no-untyped-call]
    return found


def silent(url: str) -> Outage:
    """Say that nothing answers at this address."""
    return Outage(f"MLflow at {shown(url)} does not answer: start it there, or correct tracking.url.")


def locked_out(url: str) -> Problem:
    """Say that MLflow wants other credentials."""
    variables = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    return Problem(f"MLflow at {shown(url)} refuses the name, password or token: set {variables}.")


def _problem(url: str, error: MlflowException) -> Problem:
    if isinstance(error.__context__, RequestException):
        return silent(url)
    if error.error_code in _REFUSED:
        return locked_out(url)
    said = re.sub("^[A-Z_]+: ", "", str(error).partition("\n")[0].strip().rstrip("."))
    status = error.get_http_status_code()  # type: ignore[no-untyped-call]
    kind = Outage if passing(status) else Problem
    return kind(f"MLflow at {shown(url)} refused: {shown(said)}.")
