"""What people are told; what Prefect's server makes of it is tested with the automations."""

import json

import jinja2
import pytest

from configs.errors import PedigreeError, ServiceUnavailableError, SettingsError
from infra.orchestration.messages import MESSAGES, build_webhook_payload


@pytest.mark.parametrize("kind", [PedigreeError, ServiceUnavailableError, SettingsError])
def test_a_failed_run_says_only_its_own_sentence(kind: type[PedigreeError]) -> None:
    """Whatever kind of problem ended a run, people read its sentence without the words before it."""
    sentence = f"Flow run encountered an exception: {kind.__name__}: The disk is full."
    event = {"resource": {"prefect.state-message": sentence}}
    body = jinja2.Template(MESSAGES["failed"]("http://prefect").body)
    text = body.render(event=event, flow_run={"id": "1", "labels": {}})
    assert text == "The disk is full.\nRun: http://prefect/runs/flow-run/1"


def test_what_a_webhook_is_sent_holds_names_as_text() -> None:
    """No class name in a reason becomes Slack's link or call to everybody, or Mattermost's link or picture."""
    reason = 'recall of <http://evil|click> <!channel> ![t](http://evil/t.png) & "quotes" 0.1'
    event = {"resource": {"prefect.state-message": reason}}
    template = jinja2.Template(build_webhook_payload(MESSAGES["rejected"]("http://prefect")))
    text = json.loads(template.render(event=event, flow_run={"id": "1", "labels": {}}))["text"]
    escaped = 'recall of &lt;http://evil|click&gt; &lt;!channel&gt; ![t] (http://evil/t.png) &amp; "quotes" 0.1'
    assert text == f"Pedigree: the new model was rejected\n{escaped}\nRun: http://prefect/runs/flow-run/1"
