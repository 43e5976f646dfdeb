"""Names and tags of flow runs: what Prefect's list of runs says of each, before it starts and when it has ended."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from configs.visible_text import visible
from tasks.domain.phrasing import count
from tasks.domain.runs.results import Outcome

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.sorting import FlowRunSort

# The words that Prefect's server and its form make up where nobody gives a name.
_MADE_UP = re.compile("[a-z]+(-[a-z0-9]+)+")
_SIGNS = {"promoted": "✓", "rejected": "✗", "needs-approval": "?", "unchanged": "=", "waiting": "…"}
_TAG = {"tags": {"any_": ["pedigree"]}}
_AT_ONCE = 100


def name_flow_run() -> str:
    """Return the name of the flow run that starts: one that was given stays, others say what started it and when."""
    from prefect.runtime import deployment, flow_run

    name = flow_run.name or ""
    return name if name and not _MADE_UP.fullmatch(name) else build_name(deployment.name or "terminal", _now())


def build_name(start: str, moment: datetime) -> str:
    """Build the name of a flow run.

    Args:
        start: What starts it: the name of a deployment, or ``terminal``.
        moment: When it starts.

    Returns:
        The name.
    """
    return f"{start} {moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def describe_end(name: str, outcome: Outcome) -> str:
    """Describe how a run ended, in one line of a list.

    Args:
        name: The name that it had so far.
        outcome: How it ended.

    Returns:
        The name with a sign before it, and with the model's version and what was new behind it.
    """
    facts = [f"version {outcome.model_version}"] if outcome.model_version else []
    facts += [count(outcome.images.new, "new image")] if outcome.images.new else []
    return visible(" · ".join([f"{_SIGNS[outcome.status]} {name}", *facts]))


def show_end(outcome: Outcome) -> None:
    """Let the present flow run's name and tags say how it ended, also where only its line in a list is seen.

    Args:
        outcome: How it ended.
    """
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound
    from prefect.runtime import flow_run

    if flow_run.id:
        # What was decided stands, also where Prefect does not take a name.
        with suppress(HTTPError, ObjectNotFound), get_client(sync_client=True) as client:
            run = client.read_flow_run(UUID(str(flow_run.id)))
            tags = sorted({*run.tags, "pedigree", outcome.status})
            client.update_flow_run(run.id, name=describe_end(run.name, outcome), tags=tags)


def name_scheduled_runs(client: "SyncPrefectClient") -> None:
    """Name runs that are scheduled after their deployment and their time, in place of made-up words.

    Args:
        client: Prefect's client.
    """
    from prefect.client.schemas.filters import DeploymentFilter
    from prefect.client.schemas.sorting import FlowRunSort

    scheduled = _find(client, {"state": {"type": {"any_": ["SCHEDULED"]}}}, FlowRunSort.EXPECTED_START_TIME_ASC)
    runs = [run for run in scheduled if run.deployment_id and _MADE_UP.fullmatch(run.name)]
    ids = {"id": {"any_": sorted({str(run.deployment_id) for run in runs})}}
    deployments = client.read_deployments(deployment_filter=DeploymentFilter.model_validate(ids)) if runs else []
    names = {deployment.id: deployment.name for deployment in deployments}
    for run in runs:
        if run.deployment_id in names and run.expected_start_time:
            name = build_name(names[run.deployment_id], run.expected_start_time)
            _unless_gone(partial(client.update_flow_run, run.id, name=name))


def delete_ended_runs(client: "SyncPrefectClient", flow: str, states: Sequence[str]) -> None:
    """Delete the runs of a flow that ended in one of these states, since they say no more than the present one.

    Args:
        client: Prefect's client.
        flow: The flow's name.
        states: The names of the states.
    """
    from prefect.client.schemas.sorting import FlowRunSort

    ended = {"state": {"name": {"any_": list(states)}}}
    for run in _find(client, ended, FlowRunSort.END_TIME_DESC, flow):
        _unless_gone(partial(client.delete_flow_run, run.id))


def _find(
    client: "SyncPrefectClient", chosen: Mapping[str, object], sort: "FlowRunSort", flow: str = ""
) -> "list[FlowRun]":
    from prefect.client.schemas.filters import FlowFilter, FlowRunFilter

    return client.read_flow_runs(
        flow_filter=FlowFilter.model_validate({"name": {"any_": [flow]}}) if flow else None,
        flow_run_filter=FlowRunFilter.model_validate({**_TAG, **chosen}),
        sort=sort,
        limit=_AT_ONCE,
    )


def _unless_gone(change: Callable[[], object]) -> None:
    """Change a run, unless somebody has deleted it meanwhile."""
    from prefect.exceptions import ObjectNotFound

    with suppress(ObjectNotFound):
        change()


def _now() -> datetime:
    return datetime.now(UTC)
