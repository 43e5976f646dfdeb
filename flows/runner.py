"""Flows run in this process, at a terminal: each function starts one, and raises what made it fail."""

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from configs.credentials import prefect_login, set_prefect_login
from configs.environment import check_home, home, prefect_address, prepare_environment
from configs.errors import PedigreeError, SettingsError
from configs.load import fill_form, resolve
from configs.schema import Settings
from configs.sections import Scale
from configs.visible_text import shown
from infra import stack
from infra.local_stack import health
from infra.local_stack.servers import HEARTBEAT
from tasks.domain.ingestion.triggers import PollResult
from tasks.domain.registry.reproduction import Reproduction
from tasks.domain.runs.results import Outcome, RunData
from tasks.domain.training.cut_comparison import CutComparison

if TYPE_CHECKING:
    from prefect import Flow

    from tasks.runs.dry_run import DryRun
    from tasks.watching.event_queue import EventQueue


def run_retrain(settings: Settings, *, force: bool = False, as_of: str = "", look: bool = True) -> Outcome:
    """Run the retrain flow.

    Args:
        settings: The settings.
        force: Train also when nothing has changed since the last decision.
        as_of: A former day such as 2026-11-01; empty means now.
        look: Look at the source first, and start no flow where there is nothing to do.

    Returns:
        How the run ended.
    """
    _check_source(settings, as_of)
    from flows.quiet_run import looked_at

    with looked_at("retrain", settings, anyway=force or bool(as_of) or not look) as foreseen:
        if foreseen:
            return foreseen.finish_retrain()
        _prepare()
        from flows.retrain import retrain

        outcome: Outcome = _run(retrain, **fill_form(settings, "watch"), force=force, as_of=as_of)
        return outcome


def run_dry(settings: Settings, *, force: bool = False, as_of: str = "") -> "DryRun":
    """Find out what a retraining would do, in no flow and without a Prefect server.

    Args:
        settings: The settings.
        force: Whether it would train also when nothing has changed since the last decision.
        as_of: A former day such as 2026-11-01; empty means now.

    Returns:
        What it would do.
    """
    _check_source(settings, as_of)
    prepare_environment(PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL="CRITICAL")
    check_home()
    from tasks.runs.dry_run import dry_run
    from tasks.step import prepare_process

    prepare_process()
    return dry_run(settings, as_of, force=force)


def run_watch(settings: Settings) -> PollResult:
    """Run the watch flow: poll the source once, and start the deployed retraining where there is a reason."""
    _check_source(settings)
    _prepare()
    from flows.watch import watch

    poll_result: PollResult = _run(watch, **fill_form(settings))
    return poll_result


def run_rebuild(settings: Settings, as_of: str = "") -> RunData:
    """Run the rebuild flow: build a dataset version without training on it.

    Args:
        settings: The settings.
        as_of: A former day such as 2026-11-01; empty means now.

    Returns:
        What was ingested, the labels, and the dataset version.
    """
    _check_source(settings, as_of)
    from flows.quiet_run import looked_at

    with looked_at("rebuild", settings, anyway=bool(as_of)) as foreseen:
        if foreseen:
            return foreseen.finish_rebuild()
        _prepare()
        from flows.rebuild_dataset import rebuild

        data: RunData = _run(rebuild, settings, as_of)
        return data


def run_compare(settings: Settings) -> CutComparison:
    """Run the compare flow: measure each cut of the backbone."""
    _check_source(settings)
    _prepare()
    from flows.compare_cuts import compare

    comparison: CutComparison = _run(compare, settings)
    return comparison


def run_reproduce(store: str, model: str, scale: Scale, *, from_pixels: bool = False) -> Reproduction:
    """Run the reproduce flow: train a former model again.

    Args:
        store: The store's address.
        model: A model version, champion, an MLflow run id, or a day.
        scale: Whether this process does long work, or workers do.
        from_pixels: Compute the features again from the original bytes too.

    Returns:
        The verdict with its evidence.
    """
    _prepare()
    from flows.reproduce import reproduce

    form = {f"scale_{name}": value for name, value in scale.model_dump(mode="json").items()}
    reproduction: Reproduction = _run(reproduce, store_url=store, model=model, from_pixels=from_pixels, **form)
    return reproduction


def poll_repeatedly(settings: Settings, *, once: bool) -> Iterator[PollResult]:
    """Poll the source again and again; a poll that fails is reported on standard error, and the next one follows.

    Args:
        settings: The settings.
        once: Poll once and no more.

    Yields:
        What each poll found.

    Raises:
        SettingsError: The settings are wrong, so that every poll would fail.
        PedigreeError: The only poll failed.
    """
    from infra.orchestration.deployments import read_interval

    queue = _open_queue(settings)
    while True:
        try:
            yield run_watch(settings)
            if queue:
                queue.confirm()
        except SettingsError:
            raise
        except PedigreeError as problem:
            if once:
                raise
            sys.stderr.write(f"{problem}\n")
        if once:
            return
        if queue:
            queue.wait(read_interval("watch"))
        else:
            time.sleep(read_interval("watch"))


def _open_queue(settings: Settings) -> "EventQueue | None":
    if not settings.watch.queue:
        return None
    from tasks.watching.event_queue import EventQueue

    return EventQueue(settings.watch.queue, resolve(settings).source.url, lambda line: sys.stderr.write(f"{line}\n"))


def _run(flow: "Flow[..., Any]", *values: object, **parameters: object) -> Any:  # noqa: ANN401 - what the flow returns
    from flows.terminal_runs import run_here

    return run_here(flow, *values, **parameters)


def _check_source(settings: Settings, as_of: str = "") -> None:
    """Raise PedigreeError within a second where the source is not there; a former day is read from the store alone."""
    prepare_environment()
    if as_of:
        from tasks.ingestion.snapshot import end_of_day

        end_of_day(as_of)
    else:
        from tasks.ingestion.source_check import check_source

        check_source(settings)


def _prepare() -> None:
    # The run log says what a person wants to read; Prefect's own lines go to its log file and its UI.
    quiet = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL"}
    prepare_environment(**quiet, PREFECT_FLOWS_HEARTBEAT_FREQUENCY=HEARTBEAT)
    check_home()
    _find_prefect()
    prepare_environment(PEDIGREE_MLFLOW_PAGES=stack.mlflow_pages(home()))
    from tasks.reports.prefect_ui.progress import show_run_log
    from tasks.step import prepare_process

    show_run_log()
    prepare_process()


def _find_prefect() -> None:
    """Use the server that PREFECT_API_URL names, or else the local stack's where it runs.

    Raises:
        PedigreeError: Prefect does not answer, or refuses the password.
    """
    address = prefect_address() or stack.prefect_api(home())
    if not address:
        return
    prepare_environment(PREFECT_API_URL=address)
    set_prefect_login(address)
    try:
        health.check_prefect(address, prefect_login(home(), address))
    except (OSError, ValueError) as error:
        message = (
            f"Prefect does not answer at {shown(address)}: start it, or unset PREFECT_API_URL to run without a server."
        )
        raise PedigreeError(message) from error
