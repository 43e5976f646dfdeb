"""Step 10: write the decision into the ledger, and let the registry follow it."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from configs import schema
from configs.load import code_version
from configs.problems import Problem
from tasks.domain.night import Challenger, Dataset, Promotion
from tasks.domain.pixels import limits_of
from tasks.domain.recipe import recipe
from tasks.reports.links import flow_run_tags
from tasks.step import step
from tasks.stores import registry, tracking
from tasks.stores.datasets import dataset_files
from tasks.stores.ledger import Decision, Ledger
from tasks.stores.weights import read_backbone, read_head


@step
def promote(dataset: Dataset, challenger: Challenger, settings: schema.Settings) -> Promotion:
    """Register the challenger, decide once, then let aliases follow; what a dead night left half-way is finished."""
    url, run_id, store = settings.tracking.url, challenger.trained.run_id, settings.store.url
    version = _register(dataset, challenger, settings)
    decision = _decide(dataset, challenger, version, settings)
    _follow(decision, settings)
    tracking.log_files(url, run_id, dataset_files(store, dataset.hash))
    tracking.finish(url, run_id, decision.outcome, decision.number)
    Ledger(store).mark_applied(decision.number)
    page = tracking.file_page(url, run_id, "dataset/card.html")
    return Promotion(decision.number, decision.outcome, version, decision.reason, tuple(decision.rules), page)


def _follow(decision: Decision, settings: schema.Settings) -> None:
    """Let MLflow show what the ledger says: the champion, and a challenger only where it was not promoted."""
    url, model, version = settings.tracking.url, settings.tracking.model, decision.model_version
    champion = Ledger(settings.store.url).champion()
    if champion:
        registry.point(url, model, "champion", champion.model_version)
    registry.point(url, model, "challenger", version if decision.outcome != "promoted" else None)
    registry.tag(url, model, version, {"pedigree.outcome": decision.outcome, "pedigree.decision": str(decision.number)})


def _register(dataset: Dataset, challenger: Challenger, settings: schema.Settings) -> str:
    """Package and register the challenger; a night that is run again finds the version that it registered."""
    from tasks.modeling.prediction import Package

    url, model = settings.tracking.url, settings.tracking.model
    identity = {
        "pedigree.head": challenger.trained.head,
        "pedigree.dataset": dataset.hash,
        "pedigree.backbone": challenger.trained.made.fingerprint,
        "pedigree.recipe": recipe(settings),
    }
    found = registry.find_version(url, model, identity)
    if found:
        return found
    backbone, facts = read_backbone(settings.store.url, challenger.trained.made.fingerprint)
    head = read_head(settings.store.url, challenger.trained.head)
    origin = {"parent": dataset.parent or "none", **code_version(), **flow_run_tags()}
    links = {f"pedigree.{name}": value for name, value in origin.items()}
    with TemporaryDirectory() as folder:
        Package(backbone, facts, head, limits_of(settings.images)).write(Path(folder))
        return registry.register(url, model, challenger.trained.run_id, Path(folder), identity | links)


def _decide(dataset: Dataset, challenger: Challenger, version: str, settings: schema.Settings) -> Decision:
    """Write the next entry of the ledger, or return the one that a night which died before the aliases moved left."""
    ledger = Ledger(settings.store.url)
    entries = ledger.entries()
    last = entries[-1] if entries else None
    if last and last.head == challenger.trained.head and not ledger.applied(last.number):
        return last
    number = last.number + 1 if last else 1
    verdict, against = challenger.verdict, challenger.evaluation.champion
    decision = Decision(
        number=number,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        outcome=cast("Any", verdict.outcome),
        champion=number if verdict.promoted else against,
        against=against,
        dataset=dataset.hash,
        recipe=recipe(settings),
        backbone=challenger.trained.made.fingerprint,
        head=challenger.trained.head,
        run_id=challenger.trained.run_id,
        model_version=version,
        reason=verdict.reason,
        rules=verdict.lines(),
    )
    if (last.champion if last else None) != against or not ledger.append(decision):
        message = "Another run decided first, about another champion: run again, all that was computed is kept."
        raise Problem(message)
    return decision
