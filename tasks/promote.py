"""Step 10: register the challenger and write the decision about it into the ledger."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from configs import schema
from configs.load import code_version
from tasks.domain.decisions import Decision, champion, held_words, hold_on
from tasks.domain.night import Challenger, Dataset, Overtaken, Promotion
from tasks.domain.pixels import limits_of
from tasks.domain.recipe import recipe
from tasks.reports.links import flow_run_tags
from tasks.step import step
from tasks.stores import registry, tracking
from tasks.stores.ledger import Ledger
from tasks.stores.weights import read_backbone, read_head


@step(hours=2)
def promote(dataset: Dataset, challenger: Challenger, settings: schema.Settings) -> Promotion | Overtaken:
    """Decide once, after the version is registered; Overtaken where another champion serves than it was judged against.

    The ledger hears of a version only when it can be loaded, so what stops before has decided nothing.
    """
    version = _register(dataset, challenger, settings)
    found = _decision(dataset, challenger, version, settings)

    def ruling(entries: list[Decision]) -> Decision | None:
        serving = champion(entries)
        if (serving.number if serving else None) != found.against:
            return None
        return _placed(found, entries)

    ledger = Ledger(settings.store.url)
    written = ledger.decide(ruling)
    if written is None:
        serving = ledger.champion()
        return Overtaken(serving.model_version if serving else "")
    pages = _pages(settings.tracking.url, challenger.trained.run_id)
    return Promotion(written.number, written.outcome, version, written.reason, tuple(written.rules), pages)


def _pages(url: str, run_id: str) -> dict[str, str]:
    report = tracking.file_page(url, run_id, "evaluation/report.html")
    return {
        "the run in MLflow": report.partition("/artifacts/")[0],
        "the evaluation report": report,
        "the model card": tracking.file_page(url, run_id, "evaluation/model-card.html"),
        "the data card, with pictures": tracking.file_page(url, run_id, "dataset/card.html"),
    }


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


def _decision(dataset: Dataset, challenger: Challenger, version: str, settings: schema.Settings) -> Decision:
    """Say what the gate decided; its place in the ledger is not known yet."""
    verdict, evaluation, outcome = challenger.verdict, challenger.evaluation, challenger.verdict.outcome
    how = f"; a person decides, by pedigree model promote {version}" if outcome == "needs-approval" else ""
    return Decision(
        number=0,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        outcome=outcome,
        champion=evaluation.champion,
        against=evaluation.champion,
        dataset=dataset.hash,
        recipe=recipe(settings),
        backbone=challenger.trained.made.fingerprint,
        head=challenger.trained.head,
        run_id=challenger.trained.run_id,
        model_version=version,
        reason=verdict.reason + how,
        rules=verdict.lines(),
        # The figures of single classes stay in MLflow: a ledger is read every night.
        figures={name: float(value) for name, value in evaluation.metrics.items() if "/" not in name},
    )


def _placed(found: Decision, entries: list[Decision]) -> Decision:
    """Give a decision its number; what a person holds is turned down, whatever the rules say."""
    number = entries[-1].number + 1 if entries else 1
    hold = hold_on(entries, found.head, found.dataset)
    if found.outcome == "rejected" or not hold:
        return replace(found, number=number, champion=number if found.outcome == "promoted" else found.against)
    return replace(found, number=number, outcome="rejected", reason=f"{held_words(hold)}; {found.reason}")
