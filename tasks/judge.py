"""Step 9: hold the challenger against the written rules."""

import json
from dataclasses import asdict, replace

from configs import schema
from tasks.domain import gate
from tasks.domain.holdings import holdings
from tasks.domain.night import Data, Evaluation, Trained
from tasks.domain.serving import Served
from tasks.step import step
from tasks.stores import tracking
from tasks.stores.datasets import read_manifest


@step(hours=2, logged=False)
def judge(
    data: Data, trained: Trained, evaluation: Evaluation, served: Served, settings: schema.Settings
) -> gate.Verdict:
    """Ask every rule about models, data and the packaged model's answers, and keep what each said with the run."""
    store, dataset = settings.store.url, data.dataset
    parent = read_manifest(store, dataset.parent) if dataset.parent else []
    lost = evaluation.comparison.only_champion if evaluation.comparison else ()
    held = holdings(read_manifest(store, dataset.hash), parent, lost, data.labels.conflicts, dataset.contradictory)
    held = replace(held, label_issues=data.inspected.labels) if data.inspected else held
    facts = gate.Facts(evaluation.test, evaluation.golden, held, served, evaluation.growth, evaluation.labels)
    verdict = gate.judge(facts, settings.gate)
    asked = {
        "verdict": asdict(verdict),
        "data": asdict(held),
        "served": asdict(served),
        "settings": settings.gate.model_dump(mode="json"),
    }
    file = json.dumps(asked, ensure_ascii=False, indent=1).encode()
    tracking.log_files(settings.tracking.url, trained.run_id, {"evaluation/gate.json": file})
    return verdict
