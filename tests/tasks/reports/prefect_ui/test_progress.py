"""Progress of long work: an artifact of the run that does it, and nothing of Prefect outside of a run."""

from prefect import flow
from prefect.artifacts import Artifact
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks.reports.prefect_ui.progress import show_progress
from tests.servers import PrefectServer, free_port


def _work() -> None:
    with show_progress("two_things", 2, noun="things") as advance:
        advance(1)
        advance(1)


def test_outside_of_a_run_prefect_is_neither_asked_nor_started() -> None:
    """A step's function that is called alone needs no server, and leaves none behind."""
    with temporary_settings(updates={PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        _work()


def test_a_run_has_its_progress_as_an_artifact(prefect_server: PrefectServer) -> None:
    """At its end all is done, under the key that a person finds in the run's page."""
    assert prefect_server.api_url
    flow(name="work", persist_result=False)(_work)()
    artifact = Artifact.get("progress-two-things")
    assert getattr(artifact, "data", None) == 100


def test_work_that_ends_early_is_done_all_the_same(prefect_server: PrefectServer) -> None:
    """Training that no longer improves leaves no bar that stands still at a half for ever."""

    def improve() -> None:
        with show_progress("improve", 8, noun="steps") as advance:
            advance(4)

    assert prefect_server.api_url
    flow(name="improve", persist_result=False)(improve)()
    artifact = Artifact.get("progress-improve")
    assert (getattr(artifact, "data", None), getattr(artifact, "description", None)) == (100, "improve: 4 of 4 steps.")
