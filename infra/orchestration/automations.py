"""Who is told what the nights come to: Prefect's automations and notification blocks, made from the settings."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlencode, urlsplit

from prefect.exceptions import ObjectNotFound
from prefect.types import SecretDict
from pydantic import SecretStr

from configs.errors import SettingsProblem
from configs.load import secret
from configs.servers import Notify, Told
from infra.orchestration.messages import MESSAGES, Message, payload, silence

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.blocks.core import Block
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import BlockDocument
    from prefect.events.actions import CallWebhook, SendNotification
    from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger

_TAG = "pedigree-notify"
# The block of each channel, and the variable that holds its secret.
_CHANNELS: Mapping[str, tuple[str, str]] = {
    "slack": ("slack-webhook/pedigree-slack", "PEDIGREE_SLACK_URL"),
    "webhook": ("webhook/pedigree-webhook", "PEDIGREE_WEBHOOK_URL"),
    "email": ("slack-webhook/pedigree-email", "PEDIGREE_SMTP_PASSWORD"),
}
_EVENTS: Mapping[Told, tuple[str, ...]] = {
    "promoted": ("Promoted",),
    "rejected": ("Rejected",),
    "needs-approval": ("Needs approval",),
    "failed": ("Failed", "Crashed", "TimedOut"),
}
# Each is a night that did what it could: also one that found nothing new.
_GOOD = ("Promoted", "Rejected", "Needs approval", "Unchanged", "Waiting")


def set_up(api: str, notify: Notify, mlflow: str) -> list[str]:
    """Let the Prefect server at this API tell people as the settings say, and name the automations that it has now.

    What is there already and the same is left alone, so that the hours of silence go on; what the settings no longer
    say is removed, with its secrets. ``mlflow`` is the address of MLflow's pages, if it has any.

    Raises:
        SettingsProblem: A secret or a block that the settings need is not there.
    """
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, PREFECT_UI_URL, temporary_settings

    known = {PREFECT_API_URL: api, PREFECT_API_AUTH_STRING: secret("PREFECT_API_AUTH_STRING") or None}
    with temporary_settings(updates=known), get_client(sync_client=True) as client:
        blocks = _blocks(client, notify)
        wanted = _automations(notify, blocks, PREFECT_UI_URL.value() or api.removesuffix("/api"), mlflow)
        switched_off = _settle(client, wanted)
        _forget_blocks(client, blocks)
        return [f"{one.name} (switched off in Prefect)" if one.name in switched_off else one.name for one in wanted]


def _automations(notify: Notify, blocks: Mapping[str, "UUID"], prefect: str, mlflow: str) -> list["AutomationCore"]:
    if not blocks:
        return []
    made = [_made(MESSAGES[end](prefect), _ends(end), blocks) for end in notify.when]
    if notify.silent_hours:
        hours = timedelta(hours=notify.silent_hours)
        made.append(_made(silence(notify.silent_hours, prefect, mlflow), _silent(hours), blocks))
    return made


def _made(message: Message, trigger: "EventTrigger", blocks: Mapping[str, "UUID"]) -> "AutomationCore":
    from prefect.events.schemas.automations import AutomationCore

    return AutomationCore(
        name=message.automation,
        description="Made by pedigree from the settings in notify. Switched off it stays so; the rest is undone.",
        tags=[_TAG],
        trigger=trigger,
        actions=[_action(kind, block, message) for kind, block in blocks.items()],
    )


def _action(block: str, identity: "UUID", message: Message) -> "SendNotification | CallWebhook":
    from prefect.events.actions import CallWebhook, SendNotification

    if block.startswith("webhook/"):
        return CallWebhook(block_document_id=identity, payload=payload(message))
    return SendNotification(block_document_id=identity, subject=message.subject, body=message.body)


def _ends(end: Told) -> "EventTrigger":
    return _trigger(_EVENTS[end], for_each={"prefect.resource.id"})


def _silent(hours: timedelta) -> "EventTrigger":
    """Speak so long after the last good night, and again after twice as long, until there is one.

    The time begins when the automation is made, so a first night that never comes is told as well. Each good night is
    both what is waited for and where the time begins anew; with ``expect`` alone Prefect would count in fixed spans,
    and speak up to twice as late or, where good nights lie far apart in two of them, not at all.
    """
    from prefect.events.schemas.automations import Posture

    return _trigger(_GOOD, after=_names(_GOOD), posture=Posture.Proactive, within=hours)


def _trigger(states: Sequence[str], **more: object) -> "EventTrigger":
    from prefect.events.schemas.automations import EventTrigger

    values = {
        "match": {"prefect.resource.id": "prefect.flow-run.*"},
        "match_related": {"prefect.resource.role": "flow", "prefect.resource.name": "retrain"},
        "expect": _names(states),
        "threshold": 1,
    }
    return EventTrigger.model_validate({**values, **more})


def _names(states: Sequence[str]) -> set[str]:
    return {f"prefect.flow-run.{state}" for state in states}


def _settle(client: "SyncPrefectClient", wanted: Sequence["AutomationCore"]) -> set[str]:
    """Delete what is no longer wanted or has changed, and create what is not there; the same stays as it is.

    Returns:
        The names of those that a person switched off: they stay so, also with other contents.
    """
    kept, switched_off = set(), set()
    for found in client.read_automations():
        if _TAG in found.tags and not found.enabled:
            switched_off.add(found.name)
        if any(_same(found, one) for one in wanted):
            kept.add(found.name)
        elif _TAG in found.tags:
            client.delete_automation(found.id)
    for one in wanted:
        if one.name not in kept:
            client.create_automation(one.model_copy(update={"enabled": one.name not in switched_off}))
    return switched_off


def _same(found: "Automation", wanted: "AutomationCore") -> bool:
    from prefect.events.schemas.automations import AutomationCore

    present = AutomationCore.model_validate({**found.model_dump(), "enabled": wanted.enabled})
    return present.model_dump() == wanted.model_dump()


def _blocks(client: "SyncPrefectClient", notify: Notify) -> dict[str, "UUID"]:
    """Keep the secrets of the channels in Prefect's blocks, and find the others: their ids by type and name."""
    found: dict[str, UUID] = {}
    for channel in notify.channels:
        block, variable = _CHANNELS[channel]
        word = secret(variable) or _known(client, channel)
        if not (word or (channel == "email" and not notify.smtp_user)):
            raise SettingsProblem(f"notify.channels has {channel}: set {variable}.")
        _new(channel, notify, word).save(block.partition("/")[2], overwrite=True)
        found[block] = _document(client, block).id
    for block in notify.blocks:
        try:
            found[block] = _document(client, block).id
        except ObjectNotFound:
            raise SettingsProblem(f"notify.blocks has {block}, which Prefect does not know: make it there.") from None
    return found


def _new(channel: str, notify: Notify, word: str) -> "Block":
    from prefect.blocks.notifications import SlackWebhook
    from prefect.blocks.webhook import Webhook

    if channel == "webhook":
        return Webhook(url=SecretStr(word), headers=SecretDict({"Content-Type": "application/json"}))
    # Prefect has no block for a mail server; this one hands to Apprise whatever is not Slack's.
    return SlackWebhook(url=SecretStr(mail_address(notify, word) if channel == "email" else word))


def _known(client: "SyncPrefectClient", channel: str) -> str:
    """Read the secret that Prefect keeps already, or nothing."""
    try:
        url = str(_document(client, _CHANNELS[channel][0]).data["url"])
    except ObjectNotFound:
        return ""
    return unquote(urlsplit(url).password or "") if channel == "email" else url


def _document(client: "SyncPrefectClient", block: str) -> "BlockDocument":
    kind, _, name = block.partition("/")
    return client.read_block_document_by_name(name, kind)


def _forget_blocks(client: "SyncPrefectClient", wanted: Mapping[str, "UUID"]) -> None:
    """Delete the blocks of ours that nothing uses any more, so that no secret outlives its use."""
    for block, _ in _CHANNELS.values():
        if block not in wanted:
            with suppress(ObjectNotFound):
                client.delete_block_document(_document(client, block).id)


def mail_address(notify: Notify, password: str) -> str:
    """Write a mail server, who logs in there, and the letter's ends as the one address that Apprise reads."""
    server = urlsplit(f"//{notify.smtp_server}")
    try:
        port = f":{server.port}" if server.port else ""
    except ValueError:
        raise SettingsProblem(
            f"notify.smtp_server is {notify.smtp_server}: write it as smtp.example.org:587."
        ) from None
    login = f"{quote(notify.smtp_user, safe='')}:{quote(password, safe='')}@" if notify.smtp_user else ""
    scheme = "mailto" if notify.smtp_encryption == "none" else "mailtos"
    query = {
        "smtp": server.hostname or "",
        "from": notify.email_from,
        "to": ",".join(notify.email_to),
        "format": "text",
    }
    query |= {"mode": notify.smtp_encryption} if scheme == "mailtos" else {}
    return f"{scheme}://{login}{server.hostname}{port}?{urlencode(query)}"
