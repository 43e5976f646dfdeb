"""Polling a source: what differs from the listing that the last retraining answered, and whether to retrain."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound

from configs import schema
from configs.errors import PedigreeError
from configs.load import fill_form
from configs.servers import ONE_RETRAINING
from tasks.domain.hashing import sha256_of
from tasks.domain.ingestion import triggers
from tasks.domain.ingestion.source_objects import SourceFilter
from tasks.domain.ingestion.triggers import FEW, PollResult, SourceDiff, check_vanished
from tasks.reports.prefect_ui.runs_list import build_name
from tasks.step import step
from tasks.stores.objects.object_store import list_source, open_bucket
from tasks.stores.store import Store
from tasks.stores.tables.listings import vanished
from tasks.watching.drift_news import read_drift


@step(hours=2)
def poll_source(settings: schema.Settings) -> PollResult:
    """List the source, and say in one line whether what no retraining has answered is a reason to start one.

    Nothing is written. The key names the difference and the day: the same difference starts one retraining a day, also
    where that one fails.

    Args:
        settings: All of them: source, store, labels, dataset, watch and the model's name take part.

    Returns:
        What was found in the source, and in what the service told of live photographs; its key is empty where there is
        no reason.
    """
    source, store = settings.source.url, Store(settings.store.url)
    moment, bucket = datetime.now(UTC), open_bucket(source)
    bucket.check()
    answered = store.processed_snapshots.last(source)
    listing = list_source(settings.source, SourceFilter(settings.source.pass_over)).rows
    snapshots = store.snapshots
    difference = snapshots.since(source, answered, listing)
    if len(difference.gone) >= FEW:
        _, answered_listing = snapshots.listings(source, answered)
        if refusal := check_vanished(
            settings.source, answered_listing["key"].to_pylist(), vanished(answered_listing, listing)
        ):
            return PollResult("Vanished", refusal)
    keys = (key for batch in listing["key"].chunks for key in batch.to_pylist())
    changes = triggers.classify_changes(difference, settings.labels, settings.dataset.min_images_per_class, keys)
    drift = read_drift(settings.tracking.model, answered)
    return triggers.decide_retraining(
        changes, settings.watch, moment, answered, _key(settings, answered, difference, moment), drift
    )


def _key(settings: schema.Settings, answered: str, difference: SourceDiff, moment: datetime) -> str:
    entries = [[*entry.identity, entry.modified] for entry in chain(difference.gone, difference.came)]
    return sha256_of([settings.source.url, settings.store.url, answered, entries, f"{moment:%Y-%m-%d}"])


_DEPLOYMENT = "retrain/retrain"
# Those that work, and those whose time has come and that wait for a worker or for the one that works.
_AT_WORK = {
    "operator": "or_",
    "type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]},
    "name": {"any_": ["Late", "AwaitingConcurrencySlot"]},
}


@step(hours=2)
def trigger_retraining(poll_result: PollResult, settings: schema.Settings) -> PollResult:
    """Start the deployment ``retrain`` with these settings; two polls that saw the same start the same run.

    Args:
        poll_result: What was found in the source.
        settings: All of them: the deployment's form is filled in with them.

    Returns:
        The result with the name of the run, or why there is none yet.

    Raises:
        PedigreeError: Nobody has deployed it to this Prefect server.
    """
    with get_client(sync_client=True) as client:
        if working := _at_work(client):
            return PollResult("Not yet", f"the retraining {working.name} works, and the next look goes on from it")
        try:
            deployment = client.read_deployment_by_name(_DEPLOYMENT)
        except ObjectNotFound:
            message = f"Prefect has no deployment {_DEPLOYMENT}: pedigree up -c FILE makes it here, pedigree deploy"
            raise PedigreeError(f"{message} elsewhere.") from None
        run = client.create_flow_run_from_deployment(
            deployment.id,
            name=build_name("uploads", datetime.now(UTC)),
            parameters=fill_form(settings, "watch"),
            idempotency_key=poll_result.key,
        )
    if run.state and run.state.is_final():
        return PollResult("Not yet", f"the retraining {run.name} of the same images ended {run.state.name}: see there")
    return replace(poll_result, why=f"{poll_result.why}: retraining {run.name}")


def _at_work(client: SyncPrefectClient) -> FlowRun | None:
    """Return a retraining that works.

    One that runs at a terminal has no worker that would report its death. It renews its hold on the limit of one
    retraining all the time, so where nobody holds that, it is dead or is about to wait.
    """
    runs = client.read_flow_runs(
        flow_filter=FlowFilter.model_validate({"name": {"any_": ["retrain"]}}),
        flow_run_filter=FlowRunFilter.model_validate({"state": _AT_WORK}),
    )
    deployed = [run for run in runs if run.deployment_id]
    if deployed or not runs:
        return deployed[0] if deployed else None
    return runs[0] if _held(client) else None


def _held(client: SyncPrefectClient) -> bool:
    """Return whether a retraining holds the limit; also where nobody has made one, since nobody can tell then."""
    try:
        return client.read_global_concurrency_limit_by_name(ONE_RETRAINING).active_slots > 0
    except ObjectNotFound:
        return True
