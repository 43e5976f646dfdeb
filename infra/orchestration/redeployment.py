"""Deploying again: what a person changed in Prefect since the last deployment stays, and is reported.

After each deployment a variable in Prefect keeps hashes of all settings. A setting whose hash differs before the next
deployment was changed by a person. Without a hash, a setting that differs from the file counts as changed.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect.exceptions import ObjectNotFound

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.events.schemas.automations import Automation

Entry = dict[str, Any]

_VARIABLE = "pedigree_deployed"
# Settings of an entry's work pool, with their defaults.
_OF_THE_POOL: Mapping[str, Any] = {"job_variables": {}, "work_queue_name": "default"}
_OF_ONE = "deployment:"  # Prefect's name for the limit of a single deployment begins like this.


@dataclass(frozen=True, slots=True)
class DeployedState:
    """A deployment as it is in Prefect.

    Attributes:
        looks: Its settings, by their names in ``infra/prefect.yaml``.
        automations: Its triggers.
        changed: Names of the settings that a person changed.
        limit: Its concurrency limit; None where there is none.
    """

    looks: Mapping[str, Any]
    automations: "Sequence[Automation]"
    changed: Sequence[str]
    limit: int | None

    def apply_to(self, entry: Entry) -> Entry:
        """Return an entry of the file with the settings that a person changed."""
        present = {setting: self.looks[setting] for setting in self.changed}
        pool = {name: present.pop(name) for name in _OF_THE_POOL if name in present}
        if pool:
            present["work_pool"] = {**entry["work_pool"], **pool}
        if limit := present.get("concurrency_limit", entry.get("concurrency_limit")):
            # Deploying without a number deletes the present limit, also a shared one, while runs hold it.
            numbered = {"limit": self.limit, **limit}
            numbered.pop("shared", None)
            present["concurrency_limit"] = numbered
        if "triggers" in present:
            present["triggers"] = []  # Prefect deletes them in any case; they are restored afterwards.
        return {**entry, **present}


def read_deployments(client: "SyncPrefectClient", entries: Iterable[Entry]) -> dict[str, DeployedState]:
    """Read the deployments of the file that Prefect already has.

    Args:
        client: Prefect's client.
        entries: The deployments of ``infra/prefect.yaml``.

    Returns:
        The deployments by their names.
    """
    remembered, deployed = _remembered(client), {}
    for entry in entries:
        if deployment := find_deployment(client, entry):
            automations = _automations(client, deployment)
            looks = _looks(deployment, automations)
            before = remembered.get(entry["name"], {})
            changed = [setting for setting in looks if _is_changed(setting, looks[setting], before.get(setting), entry)]
            if deployment.work_pool_name != entry["work_pool"]["name"]:
                changed = [
                    setting for setting in changed if setting != "work_queue_name"
                ]  # Another pool has queues of its own.
            limit = deployment.global_concurrency_limit
            deployed[entry["name"]] = DeployedState(looks, automations, changed, limit.limit if limit else None)
    return deployed


def restore_changes(
    client: "SyncPrefectClient", entries: Iterable[Entry], deployed: Mapping[str, DeployedState]
) -> None:
    """Restore the automations that a person had changed, and remember all settings as they are now.

    Settings that a person changed keep their former hash, so that they count as changed at every later deployment.

    Args:
        client: Prefect's client.
        entries: The deployments of ``infra/prefect.yaml``.
        deployed: The deployments as they were before, by their names.
    """
    remembered, looks = _remembered(client), {}
    for entry in entries:
        if not (deployment := find_deployment(client, entry)):
            continue
        before, state = remembered.get(entry["name"], {}), deployed.get(entry["name"])
        if state and "triggers" in state.changed:
            _make_again(client, deployment, state.automations)
        current = {name: _hash(value) for name, value in _looks(deployment, _automations(client, deployment)).items()}
        changed = state.changed if state else ()
        looks[entry["name"]] = {name: before.get(name) if name in changed else current[name] for name in current}
    _remember(client, looks)


def describe_changes(deployed: Mapping[str, DeployedState]) -> list[str]:
    """Return in words what a person had changed and deploying left as it is."""
    return [
        f"{name}: {_words(setting, state.looks[setting])}"
        for name, state in deployed.items()
        for setting in state.changed
    ]


def find_deployment(client: "SyncPrefectClient", entry: Entry) -> "DeploymentResponse | None":
    """Find the deployment of an entry of the file.

    Args:
        client: Prefect's client.
        entry: The entry; its flow has the name of its function, with hyphens.

    Returns:
        The deployment; None where Prefect has none.
    """
    flow = entry["entrypoint"].rpartition(".")[2].replace("_", "-")
    try:
        return client.read_deployment_by_name(f"{flow}/{entry['name']}")
    except ObjectNotFound:
        return None


def _looks(deployment: "DeploymentResponse", automations: "Sequence[Automation]") -> dict[str, Any]:
    return {
        "paused": deployment.paused,
        "schedules": [
            {
                **record.schedule.model_dump(mode="json", exclude_none=True),
                **record.model_dump(mode="json", include={"active", "parameters", "slug"}, exclude_none=True),
            }
            for record in deployment.schedules
        ],
        "concurrency_limit": _limit(deployment),
        "triggers": [record.model_dump(mode="json", exclude={"id"}) for record in automations],
        "tags": sorted(deployment.tags),
        "description": deployment.description or "",
        "job_variables": deployment.job_variables,
        "work_queue_name": deployment.work_queue_name or "default",
    }


def _limit(deployment: "DeploymentResponse") -> dict[str, Any]:
    """Return the deployment's own limit, or the name of the one that it shares."""
    options, limit = deployment.concurrency_options, deployment.global_concurrency_limit
    settings = options.model_dump(mode="json", exclude_none=True) if options else {}
    if limit and limit.name.startswith(_OF_ONE):
        settings["limit"] = limit.limit
    elif limit:
        settings["shared"] = limit.name
    return settings


def _is_changed(setting: str, value: object, before: str | None, entry: Entry) -> bool:
    if before:
        return _hash(value) != before
    return bool(_plain(setting, value) != _plain(setting, _by_file(setting, entry)))


def _by_file(setting: str, entry: Entry) -> Any:  # noqa: ANN401 - whatever the file says
    if setting in _OF_THE_POOL:
        return entry["work_pool"].get(setting, _OF_THE_POOL[setting])
    empty = {"paused": False, "concurrency_limit": {}, "description": ""}.get(setting, [])
    return entry.get(setting, empty)


def _plain(setting: str, value: Any) -> Any:  # noqa: ANN401 - as above
    """Reduce a setting to what both the file and Prefect know of it."""
    if setting == "schedules":
        names = ("cron", "interval", "rrule", "timezone", "active")
        return [{"timezone": "UTC"} | {name: record[name] for name in names if name in record} for record in value]
    if setting == "triggers":
        return [
            (record["enabled"], *sorted(record.get("expect") or record["trigger"].get("expect", ())))
            for record in value
        ]
    if setting == "concurrency_limit":
        return {name: value[name] for name in ("limit", "collision_strategy") if name in value}
    return sorted(value) if setting == "tags" else value


def _words(setting: str, value: Any) -> str:  # noqa: ANN401 - as above
    if setting == "paused":
        return "it is paused" if value else "it is not paused"
    if setting == "schedules":
        shown = [f"{_time(record)}{'' if record['active'] else ', switched off'}" for record in value]
        return f"its schedule ({'; '.join(shown) or 'none'})"
    if setting == "triggers":
        return f"its trigger ({'; '.join('on' if record['enabled'] else 'switched off' for record in value) or 'none'})"
    if setting == "concurrency_limit":
        return f"its concurrency limit ({value.get('limit') or value.get('shared') or 'none'})"
    return f"its {setting.replace('_', ' ')}"


def _time(schedule: Mapping[str, Any]) -> str:
    words = schedule.get("cron") or schedule.get("rrule") or f"every {schedule.get('interval', 0):.0f} seconds"
    return f"{words} {schedule['timezone']}" if schedule.get("timezone", "UTC") != "UTC" else words


def _automations(client: "SyncPrefectClient", deployment: "DeploymentResponse") -> "list[Automation]":
    return client.read_resource_related_automations(f"prefect.deployment.{deployment.id}")


def _make_again(
    client: "SyncPrefectClient", deployment: "DeploymentResponse", automations: "Sequence[Automation]"
) -> None:
    from prefect.events.schemas.automations import AutomationCore

    existing = {automation.id for automation in _automations(client, deployment)}
    for automation in automations:
        if automation.id not in existing:
            owner = {"owner_resource": f"prefect.deployment.{deployment.id}"}
            client.create_automation(AutomationCore.model_validate({**automation.model_dump(), **owner}))


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _remembered(client: "SyncPrefectClient") -> dict[str, dict[str, str]]:
    variable = client.read_variable_by_name(_VARIABLE)
    return json.loads(str(variable.value)) if variable else {}


def _remember(client: "SyncPrefectClient", looks: Mapping[str, Mapping[str, str | None]]) -> None:
    from prefect.client.schemas.actions import VariableCreate, VariableUpdate

    value = json.dumps(looks)
    if client.read_variable_by_name(_VARIABLE):
        client.update_variable(VariableUpdate(name=_VARIABLE, value=value))
    else:
        client.create_variable(VariableCreate(name=_VARIABLE, value=value))
