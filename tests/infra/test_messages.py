"""What people are told; what Prefect's server makes of it is tested with the automations."""

import jinja2
import pytest

from configs.problems import Outage, Problem, SettingsProblem
from infra.messages import MESSAGES


@pytest.mark.parametrize("kind", [Problem, Outage, SettingsProblem])
def test_a_failed_night_says_only_its_own_sentence(kind: type[Problem]) -> None:
    """Whatever kind of problem ended a night, people read its sentence without the words before it."""
    sentence = f"Flow run encountered an exception: {kind.__name__}: The disk is full."
    event = {"resource": {"prefect.state-message": sentence}}
    body = jinja2.Template(MESSAGES["failed"]("http://prefect").body)
    told = body.render(event=event, flow_run={"id": "1", "labels": {}})
    assert told == "The disk is full.\nRun: http://prefect/runs/flow-run/1"
