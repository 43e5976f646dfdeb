"""Runs whose process died with nobody left to say so: Prefect misses their heartbeat, and calls them crashed."""

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import AutomationCore

NAME = "pedigree: a run died with its worker"
# A run says every half minute that it lives (infra/prefect.yaml); a machine that is out of breath may miss some of it.
_SILENCE = timedelta(minutes=5)


def notice_dead_runs(client: "SyncPrefectClient", silence: timedelta = _SILENCE) -> list[str]:
    """Let the server call a run crashed that says nothing for so long, so that it holds no place and people are told.

    A worker that lives says this of its runs by itself; this is for a machine that went down with both.

    Returns:
        The automation, where a person switched it off: it stays so.
    """
    desired = _automation(silence)
    existing = client.read_automations_by_name(NAME)
    for automation in existing:
        client.update_automation(automation.id, desired.model_copy(update={"enabled": automation.enabled}))
    if not existing:
        client.create_automation(desired)
    return [f"the automation {NAME} (switched off)" for automation in existing if not automation.enabled]


def _automation(silence: timedelta) -> "AutomationCore":
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    message = f"The run has said nothing for {silence}: its machine or its worker is gone. The next run carries on."
    trigger = {
        "match": {"prefect.resource.id": "prefect.flow-run.*"},
        # Runs of our deployments alone, on a server that others use as well.
        "match_related": {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.pedigree"},
        "after": {"prefect.flow-run.heartbeat"},
        # Whatever a run says next is a sign of life, or its end.
        "expect": {"prefect.flow-run.*"},
        "for_each": {"prefect.resource.id"},
        "posture": Posture.Proactive,
        "threshold": 1,
        "within": silence,
    }
    return AutomationCore(
        name=NAME,
        description="Made by pedigree when it deploys.",
        trigger=EventTrigger.model_validate(trigger),
        actions=[ChangeFlowRunState(name="Crashed", state=StateType.CRASHED, message=message)],
    )
