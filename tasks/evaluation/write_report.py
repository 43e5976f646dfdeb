"""The evaluation report and the model card, written before anything is decided for good."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from configs import schema
from configs.cores import single_threaded_blas
from configs.errors import PedigreeError
from configs.visible_text import markdown
from tasks.domain.datasets.manifest import Dataset, Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import VersionRows
from tasks.domain.evaluation.learning_curves import LEAST, LabelledFeatures, LearningCurves, fit_learning_curves
from tasks.domain.evaluation.misclassifications import Misclassifications, Query, find_nearest
from tasks.domain.evaluation.results import ReportSummary
from tasks.domain.registry.decisions import Decision
from tasks.domain.runs.mlflow_names import CHANGES, DATA_CARD, PAGES
from tasks.domain.runs.mlflow_tables import build_change_files, build_rule_table, build_table_tag
from tasks.domain.runs.mlflow_texts import DESCRIPTION, describe_rules
from tasks.domain.runs.results import Challenger, RunData
from tasks.domain.training.results import FeatureSet
from tasks.evaluation.diff_models import Model, render_diff_files
from tasks.features.embedding import fit_reduction
from tasks.reports.pages.evaluation_page import (
    EvaluationReport,
    draw_figures,
    list_pictured_images,
    render_evaluation_report,
)
from tasks.reports.pages.hub_card import HubMetadata, describe_license, render_card_markdown
from tasks.reports.pages.model_card import build_model_card, render_card_html
from tasks.reports.pages.run_links import link_pages
from tasks.reports.pages.template import make_thumbnail
from tasks.reports.prefect_ui.artifacts import build_flow_run_tags, label_flow_run, show_evaluation
from tasks.step import step
from tasks.stores.store import Store
from tasks.stores.tables.features import FeatureStore
from tasks.stores.tracking import runs
from tasks.stores.tracking.pages import file_page

# So many images' features are in memory at a time.
_BLOCK = 4096
_PAGES = {**PAGES, "what changed since the champion": CHANGES}


@step(hours=6)
def write_report(data: RunData, challenger: Challenger, version: str, settings: schema.Settings) -> ReportSummary:
    """Write the report and the model card into the MLflow run, and links to them where people look.

    Args:
        data: What the photographs came to.
        challenger: The model, what it was measured at, and the gate's verdict.
        version: The version under which it is registered.
        settings: Those of the store, the tracking and the gate are read.

    Returns:
        The number of mistakes, the report's address, and what to collect next.
    """
    store, url, run_id = Store(settings.store.url), settings.tracking.url, challenger.model.run_id
    rows = store.manifests.columns(data.dataset.hash)
    mistakes = _add_nearest(challenger.evaluation.mistakes, rows, challenger, store)
    card = store.data_cards.read(data.dataset.hash) or {}
    learned = compute_learning_curves(rows, challenger.features.current, store, settings.gate.minimum_support)
    former = _find_former(challenger, store)
    links = {path: file_page(url, run_id, path) for path in _PAGES.values() if former or path != CHANGES}
    report = EvaluationReport(
        data.dataset,
        challenger,
        mistakes,
        card,
        settings.gate.minimum_support,
        learned,
        f"{settings.tracking.model} version {version}",
    )
    files = {**_page(report, store), **_card(report, links[DATA_CARD], settings), **_tables(report)}
    files |= _since_champion(report, former, store, settings.tracking.model) if former else {}
    run_files = {f"evaluation/{name}": text for name, text in files.items()}
    tables = build_change_files(card) | build_rule_table(challenger.verdict.rules_to_dicts())
    runs.log_files(url, run_id, link_pages(run_files, links, _flow_run()) | draw_figures(report) | tables)
    pages = {name: links[path] for name, path in _PAGES.items() if path in links}
    runs.tag(url, run_id, {DESCRIPTION: _description(data.dataset, challenger, pages)} | build_table_tag())
    show_evaluation(challenger.verdict, run_id, pages)
    label_flow_run("report", pages["the evaluation report"])
    compared = challenger.evaluation.comparison is not None
    since = f", {mistakes.fixed_total:,} fixed and {mistakes.new_total:,} new since the champion" if compared else ""
    return ReportSummary(mistakes.total, since, pages["the evaluation report"], report.advice)


def _page(report: EvaluationReport, store: Store) -> dict[str, bytes]:
    """Write the report, with pictures as far as the store has them."""
    pictures = {
        image: None if isinstance(stored, PedigreeError) else make_thumbnail(stored)
        for image, stored in store.images.salvage(list_pictured_images(report))
    }
    return {"report.html": render_evaluation_report(report, pictures).encode()}


def _tables(report: EvaluationReport) -> dict[str, bytes]:
    """Write for programs what the pages show: mistakes, learning curves, what to collect next, and a trial."""
    tables = {
        "mistakes": asdict(report.mistakes),
        "learning": asdict(report.curves),
        "collect": [asdict(advice) for advice in report.advice],
    }
    if trial := report.challenger.model.trial:
        tables["fine-tuning-trial"] = asdict(trial)
    return {f"{name}.json": json.dumps(table, ensure_ascii=False, indent=1).encode() for name, table in tables.items()}


def _find_former(challenger: Challenger, store: Store) -> Decision | None:
    """Find the champion that the challenger was held against; there is none in a first run."""
    number = challenger.evaluation.champion
    return next((decision for decision in store.ledger.entries() if decision.number == number), None)


def _since_champion(report: EvaluationReport, former: Decision, store: Store, model: str) -> dict[str, bytes]:
    """Write what differs from the champion."""
    before = Model(former.head, former.dataset, f"{model} version {former.model_version}")
    after = Model(report.challenger.model.head, report.dataset.hash, report.registered)
    return render_diff_files(store, before, after)


def _flow_run() -> str:
    address = build_flow_run_tags()["flow_run_url"]
    return "" if address == "none" else address


def _card(report: EvaluationReport, data_card: str, settings: schema.Settings) -> dict[str, bytes]:
    """Write the model card twice; without MLflow's pages its link leads to the data card in the run's own folder."""
    title = f"Model card: {report.model_name}"
    sections = (*build_model_card(report, data_card or f"../{DATA_CARD}"), describe_license(settings.card))
    test = report.challenger.evaluation.test
    metadata = HubMetadata(
        name=settings.tracking.model,
        card=settings.card,
        dataset=report.dataset.hash,
        figures=test.figures,
        slices=test.slices,
    )
    return {
        "model-card.md": render_card_markdown(title, sections, metadata).encode(),
        "model-card.html": render_card_html(title, sections).encode(),
    }


def _description(dataset: Dataset, challenger: Challenger, pages: dict[str, str]) -> str:
    """Say what a model was trained on, what its rules and a trial came to, and where to read on."""
    # What was decided about it is written above this by the registry sync.
    trial, choice = challenger.model.trial, challenger.features.choice
    overall, images = challenger.evaluation.test.figures.overall, challenger.evaluation.images
    links = [f"[{name}]({page})" if page else f"{name} ({_PAGES[name]})" for name, page in pages.items()]
    flow_run = _flow_run()
    links += [f"[the run in Prefect]({flow_run})"] if flow_run else []
    of = f"{dataset.images:,} images of {len(dataset.classes):,} classes; parent `{(dataset.parent or 'none')[:12]}`"
    sentence = f"Dataset `{dataset.hash}`: {of}."
    parts = [f"See {', '.join(links)}.", sentence, describe_rules(challenger.verdict.rules_to_dicts())]
    parts += [f"Confident answers: {markdown(challenger.model.promise.describe_held(overall, images))}."]
    parts += [f"{markdown(choice)}."] if choice else []
    parts += [markdown(trial.sentence)] if trial else []
    return "\n\n".join(parts)


def _add_nearest(
    mistakes: Misclassifications, rows: VersionRows, challenger: Challenger, store: Store
) -> Misclassifications:
    """Put beside each of the surest mistakes what the model may have mixed it up with."""
    feature_set = challenger.features.current
    features = store.features(feature_set.fingerprint, feature_set.width)
    worst = mistakes.worst
    if not worst:
        return mistakes
    features_of_worst = features.read([mistake.image for mistake in worst])
    labels = [label for mistake in worst for label in (mistake.truth, mistake.guess)]
    queries = [Query(features_of_worst[number // 2], label) for number, label in enumerate(labels)]
    trained = rows.of_split(Split.TRAIN)
    learned = trained.take(trained.label_codes(sorted(set(labels))) >= 0)
    near = find_nearest(queries, _blocks(learned, features))
    completed = (
        replace(mistake, like_truth=near[2 * number], like_guess=near[2 * number + 1])
        for number, mistake in enumerate(worst)
    )
    return replace(mistakes, worst=tuple(completed))


def _blocks(rows: Sequence[Row], features: FeatureStore) -> Iterator[tuple[Sequence[Row], NDArray[np.float32]]]:
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        yield block, features.read([row.image for row in block])


# The names are hashes, so the first of them in order are a fair sample of very many images.
_MOST = 20_000


@single_threaded_blas()
def compute_learning_curves(rows: Sequence[Row], feature_set: FeatureSet, store: Store, minimum: int) -> LearningCurves:
    """Compute the learning curves of a dataset version.

    Args:
        rows: All rows of the version; of more than 20,000 images a split, each class's first are taken.
        feature_set: The features that heads learn from.
        store: The store that holds features and groups.
        minimum: Classes with fewer validation images than this are unknown.

    Returns:
        How well each class is recognised by the number of its images.
    """
    learned, tried = (_sample_split(rows, split) for split in (Split.TRAIN, Split.VALIDATION))
    images = VersionRows.of(rows).of_split(Split.TRAIN).count_labels()
    if not (learned and tried):
        return fit_learning_curves(_empty_features(), _empty_features(), images, minimum)
    features, splits = store.features(feature_set.fingerprint, feature_set.width), store.splits.stored()
    reduce = fit_reduction(features, [row.image for row in learned])

    def gather_features(sample: Sequence[Row]) -> LabelledFeatures:
        names = [row.image for row in sample]
        groups = splits.group_names(names)
        return LabelledFeatures(reduce(names), [row.label for row in sample], groups)

    return fit_learning_curves(gather_features(learned), gather_features(tried), images, minimum)


def _sample_split(rows: Sequence[Row], split: Split) -> list[Row]:
    """Take each class's first images of a split, as many as make 20,000 if all classes have so many."""
    ordered = VersionRows.of(rows).of_split(split).in_order()
    labels = ordered.labels()
    codes = ordered.label_codes(labels)
    by_label = np.argsort(codes, kind="stable")
    codes = codes[by_label]
    places = np.arange(len(codes)) - np.searchsorted(codes, codes)
    return list(ordered.take(by_label[places < max(LEAST, _MOST // max(len(labels), 1))]))


def _empty_features() -> LabelledFeatures:
    empty: NDArray[np.float32] = np.empty((0, 1), np.float32)
    return LabelledFeatures(empty, [], [])
