"""People are told: a real Prefect server, real automations and blocks, and receivers on this machine."""

from collections.abc import Iterator
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State, StateType

from configs.errors import SettingsError
from configs.servers import Notify
from infra.orchestration import automations
from tests.receivers import Received, mail_receiver, web_receiver
from tests.servers import PrefectServer, wait_until

_MLFLOW = "http://mlflow.example.org"
_PASSWORD = "not-in-any-log"
_REPORT = f"{_MLFLOW}/#/experiments/1/runs/2/artifacts/evaluation/report.html"
_ENDS = {
    "Promoted": (StateType.COMPLETED, "Pedigree: a new model serves"),
    "Rejected": (StateType.COMPLETED, "Pedigree: the new model was rejected"),
    "Needs approval": (StateType.COMPLETED, "Pedigree: a new model waits for your approval"),
    "Failed": (StateType.FAILED, "Pedigree: a run failed"),
    "Crashed": (StateType.CRASHED, "Pedigree: a run failed"),
}
_UNTOLD = {"Unchanged": StateType.COMPLETED, "Waiting": StateType.COMPLETED, "Cancelled": StateType.CANCELLED}


@pytest.fixture
def web() -> Iterator[Received]:
    """Address that takes what Slack and webhooks would."""
    with web_receiver() as received:
        yield received


@pytest.fixture
def mail() -> Iterator[Received]:
    """Mail server."""
    with mail_receiver() as received:
        yield received


@pytest.fixture
def notify(web: Received, mail: Received, monkeypatch: pytest.MonkeyPatch) -> Notify:
    """Make settings that tell by all channels, with their secrets in the environment."""
    monkeypatch.setenv("PEDIGREE_WEBHOOK_URL", f"http://127.0.0.1:{web.port}/hook?token={_PASSWORD}")
    # Slack's own address is not on this machine; its block hands any other one to Apprise too.
    monkeypatch.setenv("PEDIGREE_SLACK_URL", f"json://127.0.0.1:{web.port}/slack")
    monkeypatch.setenv("PEDIGREE_SMTP_PASSWORD", _PASSWORD)
    return Notify(
        channels=("slack", "email", "webhook"),
        silent_hours=0,
        email_to=("ann@example.org", "bob@example.org"),
        email_from="pedigree@example.org",
        smtp_server=f"127.0.0.1:{mail.port}",
        smtp_user="pedigree",
        smtp_encryption="none",
    )


@pytest.fixture
def client(prefect_server: PrefectServer) -> Iterator[SyncPrefectClient]:
    """Client of the server, which tells nobody any more after the test."""
    with SyncPrefectClient(prefect_server.api_url) as client:
        yield client
        automations.set_up_automations(prefect_server.api_url, Notify(), "")


def test_each_end_of_a_run_is_one_message(
    client: SyncPrefectClient, prefect_server: PrefectServer, notify: Notify, web: Received, mail: Received
) -> None:
    """A run in each state leads to one message a channel, with what, why and where to click; others to none."""
    automations.set_up_automations(prefect_server.api_url, notify, _MLFLOW)
    for name, kind in _UNTOLD.items():
        _end(client, name, kind)
    runs = {name: _end(client, name, kind) for name, (kind, _) in _ENDS.items()}
    _end(client, "Promoted", StateType.COMPLETED, flow_name="another")
    wait_until(lambda: len(web.calls) == len(mail.letters) == 2 * len(_ENDS), 60, "all messages")
    texts = [call["text"] for path, call in web.calls if path.startswith("/hook")]
    for name, (_, subject) in _ENDS.items():
        (text,) = [message for message in texts if str(runs[name]) in message]
        assert text.startswith(
            f'{subject}\n&lt;b&gt;{name}&lt;/b&gt; &amp; "why"\nRun: {prefect_server.url}/runs/flow-run/'
        )
        assert text.endswith(f"\nReport: {_REPORT}") == (name == "Promoted")
    slack = [call for path, call in web.calls if path == "/slack"]
    assert sorted(call["title"] for call in slack) == sorted(subject for _, subject in _ENDS.values())
    letters = [letter for letter in mail.letters if letter["To"] == "ann@example.org"]
    assert sorted(letter["Subject"] for letter in letters) == sorted(subject for _, subject in _ENDS.values())
    mails = ["\n".join([letter["Subject"], *letter.get_content().split("\r\n")]).strip() for letter in letters]
    # A chat service would take angle brackets for its own marks; a letter is plain text.
    assert sorted(mails) == sorted(map(unescape, texts))
    assert set(mail.logins) == {f"\0pedigree\0{_PASSWORD}"}
    assert _PASSWORD not in prefect_server.log.read_text()


@pytest.mark.usefixtures("client")
def test_a_run_that_never_came_is_told(prefect_server: PrefectServer, notify: Notify, web: Received) -> None:
    """Where no run begins for so many hours, somebody is told that, and where to look."""
    hours = 10 / 3600  # Prefect knows no shorter time.
    silent = notify.model_copy(update={"channels": ("webhook",), "when": (), "silent_hours": hours})
    assert automations.set_up_automations(prefect_server.api_url, silent, _MLFLOW) == ["Pedigree: no successful night"]
    wait_until(lambda: web.calls, 60, "the first message")
    assert web.calls[0][1]["text"].endswith(f"\nRuns: {prefect_server.url}/runs\nMLflow: {_MLFLOW}")


def test_again_is_an_update(client: SyncPrefectClient, prefect_server: PrefectServer, notify: Notify) -> None:
    """The same settings again change nothing; what they no longer say is gone, with its secrets."""
    first = notify.model_copy(update={"silent_hours": 26})
    names = automations.set_up_automations(prefect_server.api_url, first, _MLFLOW)
    before = _own_automations(client)
    assert sorted(names) == sorted(before)
    automations.set_up_automations(prefect_server.api_url, first, _MLFLOW)
    assert _own_automations(client) == before
    fewer = first.model_copy(update={"channels": ("webhook",), "when": ("failed",)})
    assert automations.set_up_automations(prefect_server.api_url, fewer, _MLFLOW) == [
        "Pedigree: failed",
        "Pedigree: no successful night",
    ]
    after = _own_automations(client)
    assert sorted(after) == ["Pedigree: failed", "Pedigree: no successful night"]
    assert len(after["Pedigree: failed"]["actions"]) == 1
    assert [block.name for block in client.read_block_documents() if "pedigree" in str(block.name)] == [
        "pedigree-webhook"
    ]


def test_a_secret_that_nobody_set_is_a_sentence(
    client: SyncPrefectClient, prefect_server: PrefectServer, notify: Notify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel without its secret, and a block that does not exist, are named; a block that exists is enough."""
    slack = notify.model_copy(update={"channels": ("slack",)})
    automations.set_up_automations(prefect_server.api_url, slack, _MLFLOW)
    monkeypatch.delenv("PEDIGREE_SLACK_URL")
    assert automations.set_up_automations(prefect_server.api_url, slack, _MLFLOW)
    monkeypatch.delenv("PEDIGREE_WEBHOOK_URL")
    with pytest.raises(SettingsError, match="set PEDIGREE_WEBHOOK_URL"):
        automations.set_up_automations(prefect_server.api_url, notify, _MLFLOW)
    with pytest.raises(SettingsError, match="slack-webhook/nobody, which Prefect does not know"):
        automations.set_up_automations(prefect_server.api_url, Notify(blocks=("slack-webhook/nobody",)), _MLFLOW)
    named = Notify(blocks=("slack-webhook/pedigree-slack",), when=("failed",), silent_hours=0)
    assert automations.set_up_automations(prefect_server.api_url, named, _MLFLOW) == ["Pedigree: failed"]
    assert client.read_block_document_by_name("pedigree-slack", "slack-webhook")


def test_who_is_written_to_changes_without_the_password(
    client: SyncPrefectClient, prefect_server: PrefectServer, notify: Notify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefect keeps the mail server's password: a changed address arrives there though nobody says it again."""
    automations.set_up_automations(prefect_server.api_url, notify, _MLFLOW)
    monkeypatch.delenv("PEDIGREE_SMTP_PASSWORD")
    automations.set_up_automations(
        prefect_server.api_url, notify.model_copy(update={"email_to": ("eve@example.org",)}), _MLFLOW
    )
    url = client.read_block_document_by_name("pedigree-email", "slack-webhook").data["url"]
    assert f":{_PASSWORD}@" in url
    assert "eve" in url
    assert "ann" not in url


def _own_automations(client: SyncPrefectClient) -> dict[str, dict[str, Any]]:
    """Read the automations that tell people, by name, without those that other tests left on the server."""
    expected = [automation for automation in client.read_automations() if automation.name.startswith("Pedigree: ")]
    return {item.name: item.model_dump() for item in expected}


def _end(client: SyncPrefectClient, name: str, kind: StateType, flow_name: str = "retrain") -> UUID:
    """Make a run of a flow of this name that ends so."""

    @flow(name=flow_name)
    def retraining() -> None:
        """Do nothing: only its state counts."""

    run = client.create_flow_run(retraining)
    if name == "Promoted":
        client.update_flow_run_labels(run.id, {"pedigree.report": _REPORT})
    # What Prefect itself writes before the sentence of a Problem is left out.
    before = "Flow run encountered an exception: PedigreeError: " if name == "Failed" else ""
    state: State[Any] = State(type=kind, name=name, message=f'{before}<b>{name}</b> & "why"')
    client.set_flow_run_state(run.id, state, force=True)
    return run.id
