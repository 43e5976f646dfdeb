"""One retraining at a time, whatever starts it: Prefect's limit, which runs of a deployment hold already."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectNotFound
from prefect.runtime import deployment

from infra.orchestration.deployments import ONE_RETRAINING

P = ParamSpec("P")
R = TypeVar("R")


def one_at_a_time(function: Callable[P, R]) -> Callable[P, R]:
    """Let a flow that starts at a terminal wait while another retraining of the same Prefect server works.

    Where nobody has deployed anything there is no limit: then, as between two servers, the store's rules alone keep two
    retrainings from each other's work, and the later one ends unchanged.
    """

    @wraps(function)
    def wrapper(*arguments: P.args, **named: P.kwargs) -> R:
        if deployment.id or not _limited():
            return function(*arguments, **named)
        # A night is not lost where Prefect is gone for a while: what two of them do at once is harmless.
        with concurrency(ONE_RETRAINING, strict=False, raise_on_lease_renewal_failure=False):
            return function(*arguments, **named)

    return wrapper


def _limited() -> bool:
    """Tell whether the server has the limit, and say so where this run will have to wait for it."""
    with get_client(sync_client=True) as client:
        try:
            limit = client.read_global_concurrency_limit_by_name(ONE_RETRAINING)
        except ObjectNotFound:
            return False
    if limit.active_slots >= limit.limit:
        get_run_logger().info("another retraining works: this one waits until it has ended", extra={"diary": True})
    return True
