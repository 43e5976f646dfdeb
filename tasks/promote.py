"""Step 10: write the decision into the ledger, and let the registry follow it."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect.runtime import flow_run

from configs import schema
from configs.problems import Problem
from tasks.domain.night import Challenger, Dataset, Promotion
from tasks.domain.pixels import limits_of
from tasks.domain.recipe import recipe
from tasks.step import step
from tasks.stores import registry, tracking
from tasks.stores.backbones import read_backbone
from tasks.stores.datasets import dataset_files
from tasks.stores.heads import read_head
from tasks.stores.ledger import Decision, Ledger


@step
def promote(dataset: Dataset, challenger: Challenger, settings: schema.Settings) -> Promotion:
    """Register the challenger, decide once, then let aliases follow; what a dead night left half-way is finished."""
    version = _register(dataset, challenger, settings)
    decision = _decide(dataset, challenger, version, settings)
    ledger, url, name = Ledger(settings.store.url), settings.tracking.url, settings.tracking.model
    champion = ledger.champion()
    registry.point(url, name, "challenger", version)
    if champion:
        registry.point(url, name, "champion", champion.model_version)
    tracking.finish(url, challenger.trained.run_id, decision.outcome, decision.number)
    ledger.mark_applied(decision.number)
    return Promotion(decision.number, decision.outcome, version, challenger.verdict.reason)
