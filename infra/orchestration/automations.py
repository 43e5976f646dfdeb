"""Notifications of how runs end: Prefect's automations and notification blocks, created from the settings."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlencode, urlsplit

from prefect.exceptions import ObjectNotFound
from prefect.types import SecretDict
from pydantic import SecretStr

from configs.environment import secret
from configs.errors import SettingsError
from configs.servers import NotifiedOutcome, Notify
from infra.orchestration.messages import MESSAGES, Message, build_silence_message, build_webhook_payload
from tasks.domain.serving.live_events import PHOTOGRAPHS_WANTED, SERVICE, SWAP_REFUSED

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.blocks.core import Block
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import BlockDocument
    from prefect.events.actions import CallWebhook, SendNotification
    from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger

_TAG = "pedigree-notify"
# The block of each channel, and the environment variable that holds its secret.
_CHANNELS: Mapping[str, tuple[str, str]] = {
    "slack": ("slack-webhook/pedigree-slack", "PEDIGREE_SLACK_URL"),
    "webhook": ("webhook/pedigree-webhook", "PEDIGREE_WEBHOOK_URL"),
    "email": ("slack-webhook/pedigree-email", "PEDIGREE_SMTP_PASSWORD"),
}
_EVENTS: Mapping[NotifiedOutcome, tuple[str, ...]] = {
    "promoted": ("Promoted",),
    "rejected": ("Rejected",),
    "needs-approval": ("Needs approval",),
    "failed": ("Failed", "Crashed", "TimedOut"),
}
# What happens to the service; of drift people are told only where the watcher has found no new labels.
_SERVICE_EVENTS: Mapping[NotifiedOutcome, str] = {"drifted": PHOTOGRAPHS_WANTED, "swap-refused": SWAP_REFUSED}
# States of runs that ended well, also with nothing new.
_GOOD = ("Promoted", "Rejected", "Needs approval", "Unchanged", "Waiting")


def set_up_automations(api: str, notify: Notify, mlflow: str) -> list[str]:
    """Create, replace and delete automations of a Prefect server, so that it notifies people as the settings say.

    An automation that is already as it should be stays untouched, so that its time of silence goes on.

    Args:
        api: The address of Prefect's API.
        notify: The settings.
        mlflow: The address of MLflow's pages; empty where there are none.

    Returns:
        The names of the automations, with a remark at those that a person switched off.

    Raises:
        SettingsError: A secret or a block that the settings need is missing.
    """
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, PREFECT_UI_URL, temporary_settings

    server_settings = {PREFECT_API_URL: api, PREFECT_API_AUTH_STRING: secret("PREFECT_API_AUTH_STRING") or None}
    with temporary_settings(updates=server_settings), get_client(sync_client=True) as client:
        blocks = _blocks(client, notify)
        desired = _automations(notify, blocks, PREFECT_UI_URL.value() or api.removesuffix("/api"), mlflow)
        switched_off = _settle(client, desired)
        _forget_blocks(client, blocks)
        return [
            f"{automation.name} (switched off in Prefect)" if automation.name in switched_off else automation.name
            for automation in desired
        ]


def _automations(notify: Notify, blocks: Mapping[str, "UUID"], prefect: str, mlflow: str) -> list["AutomationCore"]:
    if not blocks:
        return []
    automations = [_automation(MESSAGES[end](prefect), _ends(end), blocks) for end in notify.when]
    if notify.silent_hours:
        hours = timedelta(hours=notify.silent_hours)
        automations.append(
            _automation(build_silence_message(notify.silent_hours, prefect, mlflow), _silent(hours), blocks)
        )
    return automations


def _automation(message: Message, trigger: "EventTrigger", blocks: Mapping[str, "UUID"]) -> "AutomationCore":
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
        return CallWebhook(block_document_id=identity, payload=build_webhook_payload(message))
    return SendNotification(block_document_id=identity, subject=message.subject, body=message.body)


def _ends(end: NotifiedOutcome) -> "EventTrigger":
    if end in _SERVICE_EVENTS:
        return _happens(_SERVICE_EVENTS[end])
    return _trigger(_EVENTS[end], for_each={"prefect.resource.id"})


def _happens(name: str) -> "EventTrigger":
    from prefect.events.schemas.automations import EventTrigger

    values = {"match": {"prefect.resource.id": f"{SERVICE}*"}, "expect": {name}, "threshold": 1}
    return EventTrigger.model_validate({**values, "for_each": {"prefect.resource.id"}})


def _silent(hours: timedelta) -> "EventTrigger":
    """Build the trigger that fires when no run has ended well for so long, and again at twice the time, until one does.

    The time starts when the automation is created, so that a first run that never comes is reported as well. Each good
    run is both what is expected and what restarts the time. With ``expect`` alone Prefect would count in fixed spans,
    and would fire up to twice as late or, where two good runs lie far apart in two spans, not at all.

    Returns:
        The trigger.
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


def _settle(client: "SyncPrefectClient", desired: Sequence["AutomationCore"]) -> set[str]:
    """Delete automations that are obsolete or have changed, and create those that are missing.

    Returns:
        The names of those that a person switched off: they stay off, also with new contents.
    """
    unchanged, switched_off = set(), set()
    for existing in client.read_automations():
        if _TAG in existing.tags and not existing.enabled:
            switched_off.add(existing.name)
        if any(_same(existing, automation) for automation in desired):
            unchanged.add(existing.name)
        elif _TAG in existing.tags:
            client.delete_automation(existing.id)
    for automation in desired:
        if automation.name not in unchanged:
            client.create_automation(automation.model_copy(update={"enabled": automation.name not in switched_off}))
    return switched_off


def _same(existing: "Automation", desired: "AutomationCore") -> bool:
    from prefect.events.schemas.automations import AutomationCore

    present = AutomationCore.model_validate({**existing.model_dump(), "enabled": desired.enabled})
    return present.model_dump() == desired.model_dump()


def _blocks(client: "SyncPrefectClient", notify: Notify) -> dict[str, "UUID"]:
    """Save the secrets of the channels as blocks in Prefect, and look up the blocks that the settings name.

    Returns:
        The id of each block, by its type and name.

    Raises:
        SettingsError: A secret or a block is missing.
    """
    ids: dict[str, UUID] = {}
    for channel in notify.channels:
        block, variable = _CHANNELS[channel]
        word = secret(variable) or _stored_secret(client, channel)
        if not (word or (channel == "email" and not notify.smtp_user)):
            raise SettingsError(f"notify.channels has {channel}: set {variable}.")
        _new(channel, notify, word).save(block.partition("/")[2], overwrite=True)
        ids[block] = _document(client, block).id
    for block in notify.blocks:
        try:
            ids[block] = _document(client, block).id
        except ObjectNotFound:
            raise SettingsError(f"notify.blocks has {block}, which Prefect does not know: make it there.") from None
    return ids


def _new(channel: str, notify: Notify, word: str) -> "Block":
    from prefect.blocks.notifications import SlackWebhook
    from prefect.blocks.webhook import Webhook

    if channel == "webhook":
        return Webhook(url=SecretStr(word), headers=SecretDict({"Content-Type": "application/json"}))
    # Prefect has no block for a mail server; this one passes any address that is not Slack's on to Apprise.
    return SlackWebhook(url=SecretStr(build_mail_address(notify, word) if channel == "email" else word))


def _stored_secret(client: "SyncPrefectClient", channel: str) -> str:
    """Return the secret that Prefect already keeps for a channel; empty where there is none."""
    try:
        url = str(_document(client, _CHANNELS[channel][0]).data["url"])
    except ObjectNotFound:
        return ""
    return unquote(urlsplit(url).password or "") if channel == "email" else url


def _document(client: "SyncPrefectClient", block: str) -> "BlockDocument":
    kind, _, name = block.partition("/")
    return client.read_block_document_by_name(name, kind)


def _forget_blocks(client: "SyncPrefectClient", blocks: Mapping[str, "UUID"]) -> None:
    """Delete Pedigree's own blocks that are no longer used, so that no secret outlives its use."""
    for block, _ in _CHANNELS.values():
        if block not in blocks:
            with suppress(ObjectNotFound):
                client.delete_block_document(_document(client, block).id)


def build_mail_address(notify: Notify, password: str) -> str:
    """Build the address by which Apprise sends e-mail: server, login, sender and recipients.

    Args:
        notify: The settings of the e-mail.
        password: The password of the mail server; unused where no user is named.

    Returns:
        A mailto: or mailtos: address, which holds the password.

    Raises:
        SettingsError: The mail server is not understood.
    """
    server = urlsplit(f"//{notify.smtp_server}")
    try:
        port = f":{server.port}" if server.port else ""
    except ValueError:
        raise SettingsError(f"notify.smtp_server is {notify.smtp_server}: write it as smtp.example.org:587.") from None
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
