"""Running one night, its first half, or a former one again, in this process, at a terminal."""

import sys
import time
from collections.abc import Iterator

from configs.credentials import prefect_login, set_prefect_login
from configs.environment import check_home, home, prefect_address, prepare_environment
from configs.errors import PedigreeError, SettingsError
from configs.load import fill_form
from configs.schema import Settings
from configs.visible_text import shown
from infra import stack
from infra.local_stack import health
from tasks.domain.ingestion.triggers import PollResult
from tasks.domain.registry.model_record import Reproduction
from tasks.domain.runs.results import Outcome, RunData
from tasks.domain.training.cut_comparison import CutComparison


def run_retrain(settings: Settings, *, force: bool = False, as_of: str = "") -> Outcome:
    """Run the retrain flow here and return how it ended; raise what made it fail."""
    _prepare()
    from flows.retrain import retrain

    state = retrain(**fill_form(settings, "watch"), force=force, as_of=as_of, return_state=True)
    return state.result()


def run_watch(settings: Settings) -> PollResult:
    """Look at the source here, and start the deployed retraining where there is a reason; raise what made it fail."""
    _prepare()
    from flows.watch import watch

    return watch(**fill_form(settings), return_state=True).result()


def run_rebuild(settings: Settings, as_of: str = "") -> RunData:
    """Make a dataset version here, without training on it; raise what made it fail."""
    _prepare()
    from flows.rebuild_dataset import rebuild

    return rebuild(settings, as_of, return_state=True).result()


def run_compare(settings: Settings) -> CutComparison:
    """Measure the cuts of the backbone here; raise what made it fail."""
    _prepare()
    from flows.compare_cuts import compare

    return compare(settings, return_state=True).result()


def run_reproduce(store: str, model: str, *, from_pixels: bool = False) -> Reproduction:
    """Make a model again here and return the verdict; raise what made it fail."""
    _prepare()
    from flows.reproduce import reproduce

    return reproduce(store_url=store, model=model, from_pixels=from_pixels)


def poll_repeatedly(settings: Settings, *, once: bool) -> Iterator[PollResult]:
    """Yield what each look found; a look that fails is told on standard error, and the next one comes all the same.

    Raises:
        PedigreeError: The only look failed, or settings are wrong.
    """
    from infra.orchestration.deployments import read_interval

    while True:
        try:
            yield run_watch(settings)
        except SettingsError:
            raise
        except PedigreeError as problem:
            if once:
                raise
            sys.stderr.write(f"{problem}\n")
        if once:
            return
        time.sleep(read_interval("watch"))


def _prepare() -> None:
    # The diary says what a person wants to read; Prefect's own lines go to its log and its UI.
    prepare_environment(PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL="CRITICAL")
    check_home()
    _find_prefect()
    prepare_environment(PEDIGREE_MLFLOW_PAGES=stack.mlflow_pages(home()))
    from tasks.reports.prefect_ui.progress import show_run_log

    show_run_log()


def _find_prefect() -> None:
    """Use the local stack's server where it runs; raise Problem when Prefect does not answer or does not let us in."""
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
