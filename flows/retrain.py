"""A retraining run, from the photographs in the source to the model that serves."""

from dataclasses import replace

from prefect import flow
from prefect.client.schemas.objects import State

from configs.errors import PedigreeError
from configs.schema import AUTO, Settings
from flows.decorators import flat_parameters, one_at_a_time
from tasks.datasets.assemble import assemble
from tasks.datasets.label import label
from tasks.datasets.write_data_card import write_data_card
from tasks.domain.ingestion.source_objects import Snapshot
from tasks.domain.runs.results import (
    AlreadyDecided,
    Challenger,
    ChallengerOutcome,
    ChampionReplaced,
    Outcome,
    RunData,
    TrainedModel,
)
from tasks.domain.training.results import DatasetFeatures
from tasks.evaluation.evaluate import evaluate
from tasks.evaluation.smoke_test import serving_probe, smoke_test
from tasks.evaluation.write_report import write_report
from tasks.features.backbone_cuts import choose_cut
from tasks.features.embed import embed
from tasks.ingestion.ingest import ingest
from tasks.ingestion.snapshot import snapshot
from tasks.promotion.gate import apply_gate, check_rules, request_approval
from tasks.promotion.promote import promote
from tasks.promotion.settle import Settled, settle_waiting
from tasks.promotion.sync_registry import RegistrySync, sync_registry
from tasks.reports.prefect_ui.artifacts import make_final_state
from tasks.reports.prefect_ui.runs_list import name_flow_run, show_end
from tasks.runs.preflight import preflight, restore_registry
from tasks.runs.summarize import mark_processed, summarize
from tasks.serving.probe_process import ServingProbe
from tasks.training.fine_tuning_trial import try_fine_tuning
from tasks.training.register import register
from tasks.training.train import train

_ROUNDS = 10


@flow(name="retrain", flow_run_name=name_flow_run, persist_result=False, validate_parameters=False)
@flat_parameters("watch")
@one_at_a_time
def retrain(settings: Settings, force: bool = False, as_of: str = "") -> State[Outcome]:  # noqa: FBT001, FBT002 - a tick box
    """Retrain the model on what the source holds now, and promote it if it passes the gate.

    Args:
        settings: Everything a retraining needs to know; the defaults are those of the settings file.
        force: Train also when nothing has changed since the last decision.
        as_of: A former day such as 2026-11-01: the source as it was last seen until its end (UTC); empty means now.

    Returns:
        The run's final state, whose name Prefect shows and whose data is the outcome.
    """
    settings = preflight(settings)
    settled = settle_waiting(settings)
    listed = snapshot(settings.source, settings.store, as_of)
    ingested = ingest(listed, settings)
    labels = label(ingested, settings.labels, settings.store)
    dataset = assemble(labels, settings, force)
    data = RunData(ingested, labels, dataset)
    if not dataset.trainable:
        return finish(listed, data, settings, settled)

    check_rules(dataset, settings)
    if settings.backbone.cut == AUTO:
        settings = choose_cut(dataset, settings)
    restored = settled.leave_out_of(restore_registry(settings.store, settings.tracking))
    with serving_probe(settings) as probe:
        features = embed(dataset, settings)
        card = write_data_card(data, settings, features)
        data = replace(data, card=card)
        trained = train(dataset, features, settings)
        if settings.fine_tuning.trial and settings.training.method == "head":
            trial = try_fine_tuning(dataset, features.current, trained.run_id, settings)
            trained = replace(trained, trial=trial)
        version = register(dataset, trained, settings)
        decided = decide(data, features, trained, version, probe, settings)
    return finish(listed, data, settings, settled, restored, decided)


def decide(
    data: RunData,
    features: DatasetFeatures,
    trained: TrainedModel,
    version: str,
    probe: ServingProbe | None,
    settings: Settings,
) -> ChallengerOutcome | AlreadyDecided:
    """Compare the challenger with the champion, and decide; anew where another champion came in the meantime.

    Args:
        data: What the photographs came to.
        features: The features of the dataset version, by the backbones of challenger and champion.
        trained: The challenger.
        version: The challenger's version in the registry.
        probe: The process that loads the packaged model for the smoke test; None where the gate has no such rule.
        settings: All of them, since five stages take part.

    Returns:
        The challenger and what was decided about it, or the decision that another run took in the meantime about the
        same data and settings.

    Raises:
        PedigreeError: Another champion came in each of ten attempts.
    """
    # The probe takes five seconds to load a model and to predict: both models are evaluated on another core meanwhile.
    serving_check = smoke_test.submit(data.dataset, trained, version, settings, probe)
    for _ in range(_ROUNDS):
        evaluation = evaluate(data.dataset, features, trained, settings)
        verdict = apply_gate(data, trained, evaluation, serving_check.result(), settings)
        challenger = Challenger(features, trained, evaluation, verdict)
        report = write_report(data, challenger, version, settings)
        promotion = promote(data.dataset, challenger, version, settings)
        if isinstance(promotion, AlreadyDecided):
            return promotion
        if not isinstance(promotion, ChampionReplaced):
            return ChallengerOutcome(replace(challenger, collect=report.collect), promotion)
        # The new champion may have another backbone: the test images need its features.
        features = embed(data.dataset, settings)
    raise PedigreeError(
        f"The champion changed {_ROUNDS} times while this run decided: start it again when no other run decides."
    )


def finish(
    listed: Snapshot,
    data: RunData,
    settings: Settings,
    settled: Settled,
    restored: RegistrySync | None = None,
    decided: ChallengerOutcome | AlreadyDecided | None = None,
) -> State[Outcome]:
    """Sync MLflow with the ledger, summarize the run for people, and mark the listing as processed.

    Args:
        listed: The listing of the source that the run has processed.
        data: What the photographs came to.
        settings: All of them, since the form of an approval request is filled in with them.
        settled: What live photographs have decided about a challenger that waited for them.
        restored: What was repaired in MLflow before the training.
        decided: What was decided about a challenger; None where none was trained.

    Returns:
        The run's final state, whose name Prefect shows.
    """
    synced = settled.leave_out_of(sync_registry(settings.store, settings.tracking, restored))
    outcome = summarize(data, synced, settings, decided, settled)
    if outcome.status == "needs-approval":
        outcome = request_approval(outcome, settings)
    outcome = mark_processed(listed, data, synced, outcome, settings)
    show_end(outcome)
    return make_final_state(outcome)
