"""Step 9b: show why: the evaluation report and the model card, before anything is decided for good."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from configs import schema
from configs.errors import Problem
from configs.visible_text import markdown
from tasks.domain.datasets.manifest import Dataset, Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.learning_curves import LEAST, Curves, Lessons, learning_curves
from tasks.domain.evaluation.misclassifications import Mistakes, Query, nearest
from tasks.domain.evaluation.results import Explained
from tasks.domain.runs.results import Challenger, Data
from tasks.domain.training.results import FeatureSet
from tasks.evaluation.diff_models import Model, difference_files
from tasks.features.pca import reduction
from tasks.reports.pages.evaluation_page import Report, evaluation_page, pictured
from tasks.reports.pages.model_card import card_html, card_markdown, model_card
from tasks.reports.pages.svg_figures import figures
from tasks.reports.pages.template import thumbnail
from tasks.reports.prefect_ui.artifacts import show_evaluation
from tasks.reports.prefect_ui.names import flow_run_tags, label_run
from tasks.step import step
from tasks.stores.files.ledger import Ledger
from tasks.stores.files.manifests import read_card, read_manifest
from tasks.stores.tables.features import FeatureStore
from tasks.stores.tables.images import ImageStore
from tasks.stores.tables.splits import SplitStore
from tasks.stores.tracking import runs

# So many images' features are in memory at a time.
_BLOCK = 4096
# MLflow shows this tag, as Markdown, on top of a run's page.
_DESCRIPTION = "mlflow.note.content"
_PAGES = {
    "the evaluation report": "evaluation/report.html",
    "the model card": "evaluation/model-card.html",
    "the data card": "dataset/card.html",
    "what changed since the champion": "evaluation/since-champion.html",
}


@step(hours=6)
def explain(data: Data, challenger: Challenger, settings: schema.Settings) -> Explained:
    """Write the report and the model card into the night's run, and the way to them where people look."""
    store, url, run_id = settings.store.url, settings.tracking.url, challenger.trained.run_id
    rows = read_manifest(store, data.dataset.hash)
    found = _with_nearest(challenger.evaluation.mistakes, rows, challenger, store)
    card = read_card(store, data.dataset.hash) or {}
    learned = curves(rows, challenger.embedded.today, store, settings.gate.minimum_support)
    report = Report(data.dataset, challenger, found, card, settings.gate.minimum_support, learned)
    files = {**_page(report, store), **_card(report, url, run_id), **_tables(report)}
    files |= _since_champion(data, challenger, store)
    kept = {f"evaluation/{name}": text for name, text in files.items()}
    runs.log_files(url, run_id, kept | figures(report))
    pages = {
        name: runs.file_page(url, run_id, path)
        for name, path in _PAGES.items()
        if path.removeprefix("evaluation/") in files or path.startswith("dataset/")
    }
    runs.tag(url, run_id, {_DESCRIPTION: _description(data.dataset, challenger, pages)})
    show_evaluation(challenger.verdict, run_id, pages)
    label_run("report", pages["the evaluation report"])
    compared = challenger.evaluation.comparison is not None
    since = f", {found.fixed_total:,} fixed and {found.new_total:,} new since the champion" if compared else ""
    return Explained(found.total, since, pages["the evaluation report"], report.wanted)


def _page(report: Report, store: str) -> dict[str, bytes]:
    """Write the report, with pictures as far as the store has them."""
    pictures = {
        image: None if isinstance(found, Problem) else thumbnail(found)
        for image, found in ImageStore(store).salvage(pictured(report))
    }
    return {"report.html": evaluation_page(report, pictures).encode()}


def _tables(report: Report) -> dict[str, bytes]:
    """Write for programs what the pages show: mistakes, learning curves, what to collect next, and a trial."""
    tables = {
        "mistakes": asdict(report.mistakes),
        "learning": asdict(report.curves),
        "collect": [asdict(one) for one in report.wanted],
    }
    if trial := report.challenger.trained.trial:
        tables["fine-tuning-trial"] = asdict(trial)
    return {f"{name}.json": json.dumps(table, ensure_ascii=False, indent=1).encode() for name, table in tables.items()}


def _since_champion(data: Data, challenger: Challenger, store: str) -> dict[str, bytes]:
    """Write what differs from the champion that the challenger was held against; nothing on a first night."""
    number = challenger.evaluation.champion
    former = next((one for one in Ledger(store).entries() if one.number == number), None)
    if former is None:
        return {}
    now = Model(challenger.trained.head, data.dataset.hash)
    return difference_files(store, Model(former.head, former.dataset), now)


def _card(report: Report, url: str, run_id: str) -> dict[str, bytes]:
    """Write the model card twice; without MLflow's pages its link leads to the data card in the run's own folder."""
    title = f"Model card: head {report.challenger.trained.head[:12]}"
    sections = model_card(report, runs.file_page(url, run_id, "dataset/card.html") or "../dataset/card.html")
    return {
        "model-card.md": card_markdown(title, sections).encode(),
        "model-card.html": card_html(title, sections).encode(),
    }


def _description(dataset: Dataset, challenger: Challenger, pages: dict[str, str]) -> str:
    """Say the verdict, what it was trained on, why on these features, what a trial came to, and where to read on."""
    verdict, trial, choice = challenger.verdict, challenger.trained.trial, challenger.embedded.choice
    links = [f"[{name}]({page})" if page else f"{name} ({_PAGES[name]})" for name, page in pages.items()]
    night = flow_run_tags()["flow_run_url"]
    links += [f"[the night in Prefect]({night})"] if night != "none" else []
    of = f"{dataset.images:,} images of {len(dataset.classes):,} classes; parent `{(dataset.parent or 'none')[:12]}`"
    told = f"Dataset `{dataset.hash}`: {of}."
    parts = [f"{markdown(verdict.title)}: {markdown(verdict.reason)}.", told]
    parts += [f"{markdown(choice)}."] if choice else []
    parts += [markdown(trial.sentence)] if trial else []
    return "\n\n".join([*parts, f"See {', '.join(links)}."])


def _with_nearest(found: Mistakes, rows: Sequence[Row], challenger: Challenger, store: str) -> Mistakes:
    """Put beside each of the surest mistakes what the model may have mixed it up with."""
    made = challenger.embedded.today
    features = FeatureStore(store, made.fingerprint, made.width)
    worst = found.worst
    if not worst:
        return found
    own = features.read([one.image for one in worst])
    labels = [label for one in worst for label in (one.truth, one.guess)]
    queries = [Query(own[number // 2], label) for number, label in enumerate(labels)]
    learned = [row for row in rows if row.split is Split.TRAIN and row.label in set(labels)]
    near = nearest(queries, _blocks(learned, features))
    told = (
        replace(one, like_truth=near[2 * number], like_guess=near[2 * number + 1]) for number, one in enumerate(worst)
    )
    return replace(found, worst=tuple(told))


def _blocks(rows: Sequence[Row], features: FeatureStore) -> Iterator[tuple[Sequence[Row], NDArray[np.float32]]]:
    for start in range(0, len(rows), _BLOCK):
        some = rows[start : start + _BLOCK]
        yield some, features.read([row.image for row in some])


# The names are hashes, so the first of them in order are a fair sample of very many images.
_MOST = 20_000


def curves(rows: Sequence[Row], made: FeatureSet, store: str, minimum: int) -> Curves:
    """Draw the learning curves of a dataset version; classes with fewer validation images than the minimum are unknown.

    Of more than 20,000 images a split, each class's first are looked at.
    """
    learned, tried = (_some(rows, split) for split in (Split.TRAIN, Split.VALIDATION))
    images = Counter(row.label for row in rows if row.split is Split.TRAIN)
    if not (learned and tried):
        return learning_curves(_nothing(), _nothing(), images, minimum)
    features, known = FeatureStore(store, made.fingerprint, made.width), SplitStore(store).known()
    reduce = reduction(features, [row.image for row in learned])

    def lessons(some: Sequence[Row]) -> Lessons:
        names = [row.image for row in some]
        groups = [known[name].group if name in known else name for name in names]
        return Lessons(reduce(names), [row.label for row in some], groups)

    return learning_curves(lessons(learned), lessons(tried), images, minimum)


def _some(rows: Sequence[Row], split: Split) -> list[Row]:
    """Take each class's first images of a split, as many as make 20,000 if all classes have so many."""
    of: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.image):
        if row.split is split:
            of[row.label].append(row)
    most = max(LEAST, _MOST // max(len(of), 1))
    return [row for label in sorted(of) for row in islice(of[label], most)]


def _nothing() -> Lessons:
    empty: NDArray[np.float32] = np.empty((0, 1), np.float32)
    return Lessons(empty, [], [])
