"""What every step does in trouble: it tries again where that helps, and it stops when its time is over."""

import re
from threading import Event

import pytest
from prefect import flow

from configs.errors import PedigreeError, ServiceUnavailableError, SettingsError
from tasks.step import step
from tests.servers import PrefectServer

# By this Prefect tells a run of which deployment it is.
_DEPLOYMENT = "PREFECT__RUNTIME__DEPLOYMENT__ID"


@pytest.fixture(autouse=True)
def _deployed(prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every run be one of a deployment."""
    assert prefect_server.api_url
    monkeypatch.setenv(_DEPLOYMENT, "nightly")


class Trouble:
    """Work that fails in these ways, one after the other, and then succeeds; it counts how often it was tried."""

    def __init__(self, *errors: Exception) -> None:
        """Take the errors in their order."""
        self.left, self.tried = list(errors), 0

    def end(self, hours: float = 1) -> object:
        """Run a flow of this one step without its waits; return its result, or what made it fail."""

        @flow(name="alone", persist_result=False)
        def alone() -> object:
            return step(hours=hours)(self._work).task.with_options(retry_delay_seconds=0)()

        return alone(return_state=True).result(raise_on_failure=False)

    def _work(self) -> str:
        self.tried += 1
        if self.left:
            raise self.left.pop(0)
        return "done"


def test_an_outage_is_waited_out() -> None:
    """A server that does not answer at first costs a run some minutes and nothing else."""
    trouble = Trouble(*[ServiceUnavailableError("The server does not answer.")] * 4)
    assert trouble.end() == "done"
    assert trouble.tried == 5


def test_an_outage_that_lasts_ends_the_run_with_its_sentence() -> None:
    """After four more tries the run fails, and says what did not answer."""
    trouble = Trouble(*[ServiceUnavailableError("The server does not answer.")] * 9)
    assert str(trouble.end()) == "The server does not answer."
    assert trouble.tried == 5


@pytest.mark.parametrize("error", [PedigreeError("No bucket."), SettingsError("No such setting."), ValueError("a bug")])
def test_what_a_person_must_mend_is_not_tried_again(error: Exception) -> None:
    """Settings, refusals and mistakes of ours fail at once: no waiting makes them right."""
    trouble = Trouble(error)
    assert trouble.end() is error
    assert trouble.tried == 1


def test_a_person_at_a_terminal_reads_of_an_outage_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a deployment there is somebody who can look, and start the run again."""
    monkeypatch.delenv(_DEPLOYMENT)
    trouble = Trouble(ServiceUnavailableError("The server does not answer."))
    assert str(trouble.end()) == "The server does not answer."
    assert trouble.tried == 1


def test_a_step_that_takes_too_long_is_stopped_with_a_sentence() -> None:
    """Whatever holds a step up ends when its time is over, and is not tried again."""

    def work() -> str:
        # One long wait could not be interrupted here, where pytest has taken the alarm that Prefect uses for it.
        for _ in range(6000):
            Event().wait(0.01)
        return "late"

    @flow(name="alone", persist_result=False)
    def alone() -> object:
        return step(hours=0.2 / 3600)(work)()

    result = alone(return_state=True).result(raise_on_failure=False)
    assert re.match("work did not end within .* hours and was stopped: what it had stored is kept", str(result))
