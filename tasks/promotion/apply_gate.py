"""Step 9: hold the challenger against the written rules."""

import json
from dataclasses import asdict, replace

from configs import schema
from tasks.domain.datasets.drift import measure_drift
from tasks.domain.evaluation.results import Evaluation
from tasks.domain.gate import gate
from tasks.domain.gate.serving_check import ServingCheck
from tasks.domain.runs.results import Data, Trained
from tasks.step import step
from tasks.stores.files.manifests import read_manifest
from tasks.stores.tracking import runs


@step(hours=2, logged=False)
def apply_gate(
    data: Data, trained: Trained, evaluation: Evaluation, served: ServingCheck, settings: schema.Settings
) -> gate.Verdict:
    """Ask every rule about models, data and the packaged model's answers, and keep what each said with the run."""
    store, dataset = settings.store.url, data.dataset
    parent = read_manifest(store, dataset.parent) if dataset.parent else []
    lost = evaluation.comparison.only_champion if evaluation.comparison else ()
    held = measure_drift(read_manifest(store, dataset.hash), parent, lost, data.labels.conflicts, dataset.contradictory)
    held = replace(held, label_issues=data.inspected.labels) if data.inspected else held
    facts = gate.Facts(evaluation.test, evaluation.golden, held, served, evaluation.growth, evaluation.labels)
    verdict = gate.apply_gate_rules(facts, settings.gate)
    record = {
        "verdict": asdict(verdict),
        "data": asdict(held),
        "served": asdict(served),
        "settings": settings.gate.model_dump(mode="json"),
    }
    file = json.dumps(record, ensure_ascii=False, indent=1).encode()
    runs.log_files(settings.tracking.url, trained.run_id, {"evaluation/gate.json": file})
    return verdict
