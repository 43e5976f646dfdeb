"""Forms of deployments: which fields they show, and the values that these begin with."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from configs.load import fill_form
from configs.schema import Settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

# The sections that a deployment's form has; deployments that are not named have all.
_RETRAINING = tuple(section for section in Settings.model_fields if section != "watch")
_SECTIONS = {
    "nightly": _RETRAINING,
    "retrain": _RETRAINING,
    "approve": ("store", "tracking"),
    "rollback": ("store", "tracking"),
    "reproduce": ("store", "scale"),
    "verify-store": ("store", "scale"),
}
# What a person fills in by hand; a form of all settings has more than fifty fields on seven screens.
_RETRAIN_FIELDS = ("force", "as_of", "source_url", "store_url", "gate_rules", "changes")
_FIELDS = {
    "nightly": _RETRAIN_FIELDS,
    "retrain": _RETRAIN_FIELDS,
    "watch": (
        "source_url",
        "store_url",
        "watch_new_images",
        "watch_settle_minutes",
        "watch_longest_wait_hours",
        "changes",
    ),
}


def fill_parameters(name: str, settings: Settings) -> dict[str, Any]:
    """Fill in the form of a deployment with settings.

    Args:
        name: The deployment.
        settings: The settings.

    Returns:
        The values of its parameters, by their names.
    """
    sections = _SECTIONS.get(name, tuple(Settings.model_fields))
    return fill_form(settings, *(section for section in Settings.model_fields if section not in sections))


def shorten_forms(client: "SyncPrefectClient", entries: Sequence[Mapping[str, Any]]) -> None:
    """Let each form show the fields that matter; all others are still filled in, and checked by their names.

    Args:
        client: Prefect's client.
        entries: The deployments of ``infra/prefect.yaml``.
    """
    from infra.orchestration.redeployment import find_deployment

    for entry in entries:
        deployment = find_deployment(client, dict(entry))
        if deployment and (fields := _FIELDS.get(entry["name"])):
            body = {"parameter_openapi_schema": shorten_schema(deployment.parameter_openapi_schema or {}, fields)}
            client.request("PATCH", "/deployments/{id}", path_params={"id": str(deployment.id)}, json=body)


def shorten_schema(schema: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """Shorten the schema of a form.

    Args:
        schema: The JSON schema of the flow's parameters.
        fields: The parameters that the form shows, in this order.

    Returns:
        The schema with these properties; Prefect draws no field for the others, but refuses what they do not allow.
    """
    properties = schema["properties"]
    hidden = {f"^{name}$": rest for name, rest in properties.items() if name not in fields}
    shown_fields = {name: {**properties[name], "position": position} for position, name in enumerate(fields)}
    required = [name for name in schema.get("required", ()) if name in fields]
    return {**schema, "properties": shown_fields, "patternProperties": hidden, "required": required}
