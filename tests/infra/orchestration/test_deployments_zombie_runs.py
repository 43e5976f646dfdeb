"""Runs that died with their worker, on a real Prefect server."""

from datetime import timedelta

import httpx
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events import Event
from prefect.states import Completed, Running

from infra.orchestration.deployments import NAME, detect_dead_runs
from tests.servers import PrefectServer, wait_until


@flow
def _run() -> None:
    """Stand for a run: only its states matter here."""


def _says_that_it_lives(server: PrefectServer, run: FlowRun) -> None:
    """Send what a run's process sends every half minute.

    Not by ``emit_event``: its thread adds the tags of the run in which this process sent its first event.
    """
    heartbeat = Event.model_validate(
        {
            "event": "prefect.flow-run.heartbeat",
            "resource": {"prefect.resource.id": f"prefect.flow-run.{run.id}"},
            "related": [
                {"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"} for tag in run.tags
            ],
        }
    )
    httpx.post(f"{server.api_url}/events", json=[heartbeat.model_dump(mode="json")]).raise_for_status()


def test_a_run_that_says_nothing_more_is_called_crashed(prefect_server: PrefectServer) -> None:
    """A run of ours whose heartbeat stopped ends as crashed and says why; one that had ended, or is not ours, stays."""
    with SyncPrefectClient(prefect_server.api_url) as client:
        detect_dead_runs(client, timedelta(seconds=10))
        detect_dead_runs(client, timedelta(seconds=10))
        assert len(client.read_automations_by_name(NAME)) == 1
        runs = {
            name: client.create_flow_run(_run, name=name, tags=tags, state=Running())
            for name, tags in (("ended", ["pedigree"]), ("another's", []), ("dead", ["pedigree"]))
        }
        for run in runs.values():
            _says_that_it_lives(prefect_server, run)
        client.set_flow_run_state(runs["ended"].id, Completed(name="Promoted"))

        def dead() -> FlowRun | None:
            current = client.read_flow_run(runs["dead"].id)
            return current if current.state_type == StateType.CRASHED else None

        crashed = wait_until(dead, 60, "the dead run to be called crashed")
        assert crashed
        assert crashed.state
        assert "its machine or its worker is gone" in str(crashed.state.message)
        assert client.read_flow_run(runs["ended"].id).state_name == "Promoted"
        foreign_run = client.read_flow_run(runs["another's"].id)
        assert foreign_run.state_type == StateType.RUNNING, foreign_run.state
