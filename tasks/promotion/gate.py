"""The gate: its rules are checked before a training, applied after it, and a person is asked where they say so."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs import schema
from configs.errors import PedigreeError, SettingsError
from configs.gate_rules import Rule
from configs.load import fill_form
from tasks.domain.datasets.manifest import Dataset, Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_diff import measure_drift
from tasks.domain.datasets.version_rows import VersionRows
from tasks.domain.evaluation.results import Evaluation
from tasks.domain.gate import gate
from tasks.domain.gate.live_disagreement import LiveDisagreement
from tasks.domain.gate.rule_result import RuleCheck, collect_names, describe_unknown_name, find_overlaps, names_one
from tasks.domain.gate.serving_check import ServingCheck
from tasks.domain.runs.mlflow_names import PAGES, SHADOW
from tasks.domain.runs.results import Outcome, RunData, TrainedModel
from tasks.evaluation.evaluation_sets import build_evaluation_set, golden_rows
from tasks.features.grouping import look_up_groups
from tasks.reports.prefect_ui.artifacts import build_approval_form_address, show_approval_request
from tasks.serving.live_agreement import Network, prepare_page, read_live_disagreement
from tasks.step import log_line, log_result, step
from tasks.stores.store import Store
from tasks.stores.tracking import runs
from tasks.stores.tracking.pages import file_page

# Images whose measures are looked up at once for the names in rules.
_LOOKED_UP = 10_000
# So many overlapping images are named in the sentence.
_NAMED = 5


@step(hours=2)
def check_rules(dataset: Dataset, settings: schema.Settings) -> RuleCheck:
    """Check before a training that the rules can be applied to this dataset version.

    Args:
        dataset: The version that is to be trained on.
        settings: All of them: rules, golden set, aliases, near duplicates and store take part.

    Returns:
        How many images the golden set has.

    Raises:
        SettingsError: A rule names a class or a slice that does not exist.
        PedigreeError: The golden set is trained on, or an entry of the ledger was altered.
    """
    store = Store(settings.store.url)
    store.ledger.verified_entries()
    rows = store.manifests.columns(dataset.hash)
    golden = golden_rows(store, settings.evaluation.golden, settings.labels.aliases)
    if named := [rule for rule in settings.gate.parsed if names_one(rule)]:
        _check_names(named, rows, golden, store)
    if golden:
        _check_overlaps(rows, golden, store, settings.dataset.near_duplicate_bits)
    return RuleCheck(len(golden))


def _check_names(named: Sequence[Rule], rows: VersionRows, golden: Sequence[Row], store: Store) -> None:
    names = {"class": {*rows.labels(), *(row.label for row in golden)}, "slice": set[str](), "attribute": set[str]()}
    parts = chain([golden], (rows[start : start + _LOOKED_UP] for start in range(0, len(rows), _LOOKED_UP)))
    # Slices are also of what was measured of each picture: all that exist occur among the first thousands.
    while wrong := next(filter(None, (describe_unknown_name(rule, names) for rule in named)), ""):
        part = next(parts, None)
        if part is None:
            raise SettingsError(f"gate.rules: {wrong}.")
        for scope, existing in collect_names(build_evaluation_set(store, part)).items():
            names[scope] |= existing


def _check_overlaps(rows: VersionRows, golden: list[Row], store: Store, bits: int) -> None:
    trained = rows.of_split(Split.TRAIN, Split.VALIDATION)
    images = pa.array([row.image for row in golden], pa.string())
    groups = look_up_groups(store, pa.concat_arrays([trained.images, images]), bits)
    # Of a million images that are trained on, only those count that share a group with a golden one.
    places = groups.find(images)
    near = groups.members_of(places[places >= 0])
    names = groups.images.filter(pa.array(near))
    alike = pc.is_in(trained.images, pa.concat_arrays([names, images]))
    shared = find_overlaps(
        golden,
        trained.take(np.asarray(alike)),
        dict(zip(names.to_pylist(), groups.names(near), strict=True)),
    )
    if shared:
        pairs = ", ".join(f"{overlap.golden} and {overlap.trained}" for overlap in shared[:_NAMED])
        more = f" and {len(shared) - _NAMED:,} more" if len(shared) > _NAMED else ""
        message = f"The golden set is not apart from what is trained on: the same or alike are {pairs}{more}; take them"
        raise PedigreeError(f"{message} out of the source, or make the golden set again without them.")


@step(hours=2, logged=False)
def apply_gate(
    data: RunData, trained: TrainedModel, evaluation: Evaluation, served: ServingCheck, settings: schema.Settings
) -> gate.Verdict:
    """Apply every rule to the models, the data and the packaged model's answers, and keep each result with the run.

    Args:
        data: What the photographs came to.
        trained: The challenger.
        evaluation: What challenger and champion were measured at.
        served: What the serving probe answered.
        settings: Those of the store, the gate and the tracking are read.

    Returns:
        The verdict with the result of each rule.
    """
    store, dataset = Store(settings.store.url), data.dataset
    parent = store.manifests.columns(dataset.parent) if dataset.parent else ()
    lost = evaluation.comparison.only_champion if evaluation.comparison else ()
    rows = store.manifests.columns(dataset.hash)
    held = measure_drift(rows, parent, lost, data.labels.conflicts, dataset.contradictory)
    held = replace(held, label_issues=data.card.labels) if data.card else held
    live = _read_live(store, trained, settings)
    facts = gate.GateInputs(
        evaluation.test, evaluation.golden, held, served, evaluation.growth, evaluation.labels, live
    )
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


def _read_live(store: Store, trained: TrainedModel, settings: schema.Settings) -> LiveDisagreement | None:
    """Read what live photographs said about these weights, where a rule asks for it."""
    if not any(rule.scope == "live" for rule in settings.gate.parsed):
        return None
    challenger = Network(trained.features.fingerprint, trained.head)
    return read_live_disagreement(settings.tracking.url, store.ledger.entries(), challenger)


_EVIDENCE = {**PAGES, "how it answers live photographs while it waits": SHADOW}


@step(hours=2, logged=False)
def request_approval(outcome: Outcome, settings: schema.Settings) -> Outcome:
    """Show the question that this run leaves to a person, and name the form that answers it.

    Args:
        outcome: How the run ended.
        settings: All of them: the form is filled in with them.

    Returns:
        The outcome, whose reason names the form; unchanged where there is no question, or no form to answer it.
    """
    if outcome.status != "needs-approval" or not outcome.run_id:
        return outcome
    _prepare_page(outcome, settings)
    form_sections = ("store", "tracking")
    fields = fill_form(settings, *(section for section in schema.Settings.model_fields if section not in form_sections))
    form = build_approval_form_address({"version": outcome.model_version, **fields})
    url = settings.tracking.url
    show_approval_request(
        outcome, form, {name: file_page(url, outcome.run_id, path) for name, path in _EVIDENCE.items()}
    )
    if not form:
        return outcome
    log_result("request_approval", f"version {outcome.model_version} waits for a person, who decides here: {form}")
    return replace(outcome, reason=f"{outcome.reason}, or here: {form}")


def _prepare_page(outcome: Outcome, settings: schema.Settings) -> None:
    """Write the page about live photographs; where MLflow does not take it, the run has decided all the same."""
    entries = Store(settings.store.url).ledger.entries()
    waiting = next((entry for entry in reversed(entries) if entry.run_id == outcome.run_id), None)
    try:
        if waiting:
            prepare_page(settings.tracking.url, entries, waiting)
    except PedigreeError as problem:
        log_line(f"The page about live photographs is not in MLflow yet: {problem}")
