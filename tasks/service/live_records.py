"""Records of live photographs: days and comparisons in MLflow, events in Prefect, and pictures in the inbox."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from configs.credentials import local_mlflow
from configs.environment import embedded_mlflow, home, prepare_environment
from configs.schema import Tracking
from configs.servers import Inbox as InboxSettings
from tasks.domain.runs.mlflow_names import MODEL_CARD, REPORT
from tasks.service.drifting import DayReport
from tasks.service.models.model_source import Challenger
from tasks.service.prefect_events import prefect_records
from tasks.service.server import Records
from tasks.stores.inbox import open_inbox

#: What the page for people links to, as files of the run in which the model was trained.
PAGES = {"model card": MODEL_CARD, "evaluation report": REPORT}
#: The tag of such a run; its value is the day.
DAY_TAG = "pedigree.live"


def live_records(tracking: Tracking | None, registry: str = "") -> Records:
    """Return what tells Prefect of the service, and keeps days and comparisons in the MLflow that runs are kept in.

    Args:
        tracking: Where MLflow keeps runs; None to keep nothing there.
        registry: The MLflow that has the models, where nothing is to be kept in it; empty where none is known.

    Returns:
        The records.
    """
    events = prefect_records()
    if tracking is None:
        return replace(events, find_pages=partial(find_pages, registry)) if registry else events
    url = tracking.url or embedded_mlflow()

    def on_day(report: DayReport) -> None:
        # Prefect first: the event only waits to be sent, while MLflow may be away.
        events.on_day(report)
        record_day(url, tracking.experiment, report)

    return Records(on_day, partial(record_shadow, url), events.on_refusal, find_pages=partial(find_pages, url))


def find_pages(url: str, run_id: str) -> Mapping[str, str]:
    """Find where people see how a model came about.

    Args:
        url: MLflow's address.
        run_id: The run in which it was trained.

    Returns:
        The addresses by the pages' names; none where that MLflow has no pages, or does not have the run.
    """
    # What writes to MLflow is imported when it is needed: a service is to be ready soon.
    from tasks.stores.tracking.pages import file_page

    if address := local_mlflow(home()):
        prepare_environment(PEDIGREE_MLFLOW_PAGES=address)
    pages = {name: file_page(url, run_id, path) for name, path in PAGES.items()}
    return {name: page for name, page in pages.items() if page}


def keep_pictures(records: Records, settings: InboxSettings, apart_from: Sequence[str]) -> Records:
    """Return records with which photographs are kept, too, where the settings name an inbox.

    Args:
        records: The records.
        settings: Where the inbox is, and how much it takes.
        apart_from: The addresses of source and store, with which the inbox shares no folder.

    Returns:
        The records.

    Raises:
        SettingsError: The inbox lies in the source or in the store, or cannot be opened.
    """
    if not settings.url:
        return records
    inbox = open_inbox(settings.url, apart_from)
    return replace(records, collecting=settings, inbox=inbox)


def record_day(url: str, experiment: str, report: DayReport) -> None:
    """Write a day's report as a run of its own.

    Args:
        url: MLflow's address.
        experiment: The experiment's name.
        report: The report.
    """
    from tasks.stores.tracking import runs

    tags = {
        DAY_TAG: report.day,
        "pedigree.version": report.version,
        "pedigree.drift": ", ".join(report.kinds) or "none",
    }
    run_id = runs.start_run(url, experiment, {}, tags)
    plain = asdict(report)
    runs.log_files(url, run_id, {"live/day.json": json.dumps(plain, indent=1, ensure_ascii=False).encode()})
    figures = {
        "photographs": report.live.pictures,
        "unsure": report.live.unsure,
        "unusual": report.live.unusual,
        "brightness": report.live.brightness,
        "tone": report.live.tone,
        "estimated_accuracy": report.live.accuracy,
        **{f"p_value/{kind}": value for kind, value in report.p_values.items()},
        **{f"share/{label}": share for label, share in report.live.shares.items()},
    }
    metrics = {f"live/{name}": float(value) for name, value in figures.items() if value is not None}
    runs.finish(url, run_id, f"live/{report.day}", {"mlflow.note.content": ".\n".join(report.sentences)}, metrics)


def record_shadow(url: str, challenger: Challenger, comparison: Mapping[str, Any]) -> None:
    """Write how a challenger compares with the champion on live photographs into the run of its training.

    Args:
        url: MLflow's address.
        challenger: The challenger.
        comparison: The comparison.
    """
    from tasks.serving.live_agreement import keep_comparison

    keep_comparison(url, challenger.run, comparison)
