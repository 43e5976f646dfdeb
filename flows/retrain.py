"""One night, from the photographs in the source to the model that serves."""

from dataclasses import replace

from prefect import flow
from prefect.client.schemas.objects import State

from configs.schema import AUTO, Settings
from flows.decide import decide
from flows.decorators import flat_parameters, one_at_a_time
from tasks.datasets.assemble import assemble
from tasks.datasets.label import label
from tasks.datasets.write_data_card import write_data_card
from tasks.domain.registry.decisions import AlreadyDecided
from tasks.domain.runs.results import Data, Outcome
from tasks.evaluation.smoke_test import serving_probe
from tasks.features.backbone_cuts import choose_cut
from tasks.features.embed import embed
from tasks.ingestion.ingest import ingest
from tasks.ingestion.snapshot import snapshot
from tasks.promotion.gate import check_rules, request_approval
from tasks.promotion.sync_registry import sync_registry
from tasks.reports.prefect_ui.artifacts import make_final_state, run_name
from tasks.runs.preflight import preflight, restore_registry
from tasks.runs.summarize import mark_processed, summarize
from tasks.training.fine_tuning_trial import try_fine_tuning
from tasks.training.train import train


@flow(name="retrain", flow_run_name=run_name, persist_result=False, validate_parameters=False)
@flat_parameters("watch")
@one_at_a_time
def retrain(settings: Settings, force: bool = False, as_of: str = "") -> State[Outcome]:  # noqa: FBT001, FBT002 - a tick box
    """Retrain the model on what the source holds now, and promote it if it passes the gate.

    Args:
        settings: Everything a retraining needs to know; the defaults are those of the settings file.
        force: Train also when nothing has changed since the last decision.
        as_of: A former day such as 2026-11-01: the source as it was last seen until its end (UTC); empty means now.
    """
    settings = preflight(settings)

    listed = snapshot(settings.source, settings.store, as_of)
    ingested = ingest(listed, settings)
    labels = label(ingested, settings.labels, settings.store)
    dataset = assemble(labels, settings, force)
    data = Data(ingested, labels, dataset)
    if dataset.state != "new":
        return make_final_state(
            mark_processed(listed, summarize(data, sync_registry(settings), settings), settings.store)
        )

    check_rules(dataset, settings)
    if settings.backbone.cut == AUTO:
        settings = choose_cut(dataset, settings)
    restored = restore_registry(settings)
    with serving_probe(settings) as probe:
        embedded = embed(dataset, settings)
        data = replace(data, inspected=write_data_card(data, settings, embedded))
        trained = train(dataset, embedded, settings)
        if settings.fine_tuning.trial and settings.training.method == "head":
            trained = replace(trained, trial=try_fine_tuning(dataset, embedded.today, trained.run_id, settings))
        # rehearse, evaluate, judge, explain, promote
        decided = decide(data, embedded, trained, settings, probe)
    if isinstance(decided, AlreadyDecided):
        data = data.decided_by(decided)
        followed = sync_registry(settings, restored).beside(decided.decision)
        return make_final_state(mark_processed(listed, summarize(data, followed, settings), settings.store))
    challenger, promotion = decided
    outcome = request_approval(
        summarize(data, sync_registry(settings, restored), settings, challenger, promotion), settings
    )
    return make_final_state(mark_processed(listed, outcome, settings.store))
