"""The decision about a challenger, written into the ledger once."""

from dataclasses import replace
from datetime import UTC, datetime

from configs import schema
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.registry.decisions import (
    Decision,
    describe_hold,
    find_champion,
    find_hold,
    find_shortest_name,
)
from tasks.domain.registry.model_record import hash_settings
from tasks.domain.runs.mlflow_names import DATA_CARD, MODEL_CARD, REPORT
from tasks.domain.runs.results import AlreadyDecided, Challenger, ChampionReplaced, Promotion
from tasks.promotion.annotate_runs import annotate_overtaken
from tasks.step import step
from tasks.stores.store import Store
from tasks.stores.tracking import registry, runs
from tasks.stores.tracking.pages import file_page


@step(hours=2)
def promote(
    dataset: Dataset, challenger: Challenger, version: str, settings: schema.Settings
) -> Promotion | ChampionReplaced | AlreadyDecided:
    """Write the decision about a registered version into the ledger, once.

    The ledger hears of a version only when it can be loaded, so what stops before has decided nothing.

    Args:
        dataset: The version that the challenger was trained on.
        challenger: The model, what it was measured at, and the gate's verdict.
        version: The challenger's version in the registry.
        settings: All of them: their hash says what made the model.

    Returns:
        The promotion, whatever its outcome; ChampionReplaced where another champion serves than the one compared with;
        AlreadyDecided where another run has decided about the same data and recipe meanwhile: the MLflow run of this
        one is ended then.
    """
    # MLflow is asked before the decision: from then on a run must be able to end without it.
    pages = _pages(settings.tracking.url, challenger.model.run_id)
    decision = _decision(dataset, challenger, version, settings)

    def make_decision(entries: list[Decision]) -> Decision | None:
        serving = find_champion(entries)
        if _rival(entries, decision, dataset) or (serving.number if serving else None) != decision.against:
            return None
        return _number_decision(_with_command(decision, entries), entries)

    ledger = Store(settings.store.url).ledger
    written = ledger.decide(make_decision) or _rival(ledger.entries(), decision, dataset)
    if written is None:
        serving = ledger.champion()
        return ChampionReplaced(serving.model_version if serving else "")
    if written.run_id != decision.run_id:
        done = _already_decided(written, decision, settings.tracking)
        annotate_overtaken(Store(settings.store.url), settings.tracking, decision, written)
        return done
    return Promotion(written.number, written.outcome, version, written.reason, tuple(written.rules), pages)


def _rival(entries: list[Decision], decision: Decision, dataset: Dataset) -> Decision | None:
    """Return what was decided about the same data and recipe since this run looked whether anything was."""
    younger = (entry for entry in entries if entry.decided_by_gate and entry.number > dataset.decided)
    return next(
        (entry for entry in younger if (entry.dataset, entry.recipe) == (decision.dataset, decision.recipe)), None
    )


def _already_decided(written: Decision, decision: Decision, tracking: schema.Tracking) -> AlreadyDecided:
    """End the run that decides nothing.

    Where the version that was decided about belongs to this run, its page tells that decision: MLflow leads from a
    version to its run, and a model that serves must not lead to one that was killed.

    Returns:
        Which run decided, and what.
    """
    done = AlreadyDecided(written.number, written.model_version, written.outcome, written.run_id)
    tags = {"pedigree.reason": str(done), "pedigree.decided_in": written.run_id}
    version = registry.version_of(tracking.url, tracking.model, written)
    if version and version.run_id == decision.run_id:
        tags |= {"pedigree.outcome": written.outcome}
        runs.finish(tracking.url, decision.run_id, f"{written.time[:10]} {written.outcome} in another run", tags, {})
    else:
        runs.close(tracking.url, decision.run_id, tags | {"pedigree.outcome": "unchanged"})
    return done


def _pages(url: str, run_id: str) -> dict[str, str]:
    report = file_page(url, run_id, REPORT)
    return {
        "the run in MLflow": report.partition("/artifacts/")[0],
        "the evaluation report": report,
        "the model card": file_page(url, run_id, MODEL_CARD),
        "the data card, with pictures": file_page(url, run_id, DATA_CARD),
    }


def _decision(dataset: Dataset, challenger: Challenger, version: str, settings: schema.Settings) -> Decision:
    """Say what the gate decided; its place in the ledger is not known yet."""
    verdict, evaluation, outcome = challenger.verdict, challenger.evaluation, challenger.verdict.outcome
    return Decision(
        number=0,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        outcome=outcome,
        champion=evaluation.champion,
        against=evaluation.champion,
        dataset=dataset.hash,
        recipe=hash_settings(settings),
        backbone=challenger.model.features.fingerprint,
        head=challenger.model.head,
        run_id=challenger.model.run_id,
        model_version=version,
        package=next(reversed(Store(settings.store.url).packages.read(challenger.model.head, dataset.hash)), ""),
        reason=verdict.reason,
        rules=verdict.rules_to_dicts(),
        # The figures of single classes stay in MLflow: a ledger is read by every run.
        figures={name: float(value) for name, value in evaluation.metrics.items() if "/" not in name},
    )


def _number_decision(decision: Decision, entries: list[Decision]) -> Decision:
    """Give a decision its number; what a person holds is turned down, whatever the rules say."""
    number = entries[-1].number + 1 if entries else 1
    hold = find_hold(entries, decision.head, decision.dataset)
    if decision.outcome == "rejected" or not hold:
        return replace(decision, number=number, champion=number if decision.outcome == "promoted" else decision.against)
    return replace(
        decision, number=number, outcome="rejected", reason=f"{describe_hold(hold, entries)}; {decision.reason}"
    )


def _with_command(decision: Decision, entries: list[Decision]) -> Decision:
    """Say of what waits for a person how that one decides; a number that two models have had is none."""
    if decision.outcome != "needs-approval":
        return decision
    command = f"a person decides, by pedigree model promote {find_shortest_name([*entries, decision], decision)}"
    return replace(decision, reason=f"{decision.reason}; {command}")
