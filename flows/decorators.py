"""Decorators of flows: one retraining at a time, and settings as flat parameters of a form."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, ParamSpec, TypeVar

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectNotFound
from prefect.runtime import deployment
from pydantic import Field, JsonValue
from pydantic_core import PydanticUndefined

from configs.load import Leaf, apply_changes, is_section, list_leaves, nest_fields, parse_section
from configs.schema import Settings
from configs.sections import Section
from configs.servers import ONE_RETRAINING
from tasks.step import prepare_process

P = ParamSpec("P")
R = TypeVar("R")


# A run that is killed holds the limit for as long, the least that Prefect takes; one that lives renews its hold when a
# quarter of it is left.
_LEASE_SECONDS = 60


def one_at_a_time(function: Callable[P, R]) -> Callable[P, R]:
    """Make a flow wait while another retraining of the same Prefect server is running.

    Prefect's concurrency limit is held here for runs that start at a terminal; runs of a deployment hold it already.
    Where nothing was deployed there is no limit: then, as between two servers, the store's own rules keep two
    retrainings from spoiling each other's work, and the later one ends unchanged.

    Args:
        function: The flow's function.

    Returns:
        The function, which takes the limit before it begins.
    """

    @wraps(function)
    def wrapper(*arguments: P.args, **named: P.kwargs) -> R:
        if deployment.id or not _limited():
            return function(*arguments, **named)
        # A run goes on where Prefect is gone for a while: two retrainings at once are harmless.
        with concurrency(
            ONE_RETRAINING, strict=False, raise_on_lease_renewal_failure=False, lease_duration=_LEASE_SECONDS
        ):
            return function(*arguments, **named)

    return wrapper


def _limited() -> bool:
    """Return whether the server has the limit, and log a line where this run will have to wait for it."""
    with get_client(sync_client=True) as client:
        try:
            limit = client.read_global_concurrency_limit_by_name(ONE_RETRAINING)
        except ObjectNotFound:
            return False
    if limit.active_slots >= limit.limit:
        get_run_logger().info(
            "another retraining is running: this one waits until it has ended, or a minute if it was killed",
            extra={"run_log": True},
        )
    return True


_BY_NAME = inspect.Parameter.KEYWORD_ONLY
_CHANGES = "changes"


def flat_parameters(*without: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Return a decorator by which a flow takes single settings where its function takes whole sections.

    Prefect draws a form field for each parameter: ``settings: Settings`` becomes source_url, store_url and so on,
    ``store: Store`` becomes store_url. A value that is not allowed raises SettingsError before the first step.

    Args:
        *without: Names of sections that have no fields and keep their defaults.

    Returns:
        The decorator.
    """

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        parameters = inspect.signature(function).parameters
        models: dict[str, type[Section]] = {
            name: parameter.annotation for name, parameter in parameters.items() if _is_whole(parameter)
        }
        fields = {name: list(list_leaves(model, _prefix(name, model), without)) for name, model in models.items()}

        @wraps(function)
        def flow(**given: Any) -> R:  # noqa: ANN401 - the values of the form
            prepare_process()
            arguments = {name: value for name, value in given.items() if value is not PydanticUndefined}
            nested = {name: nest_fields(fields[name], arguments) for name in models}
            for values in nested.values():
                apply_changes(values, arguments.get(_CHANGES, ()), "The form:")
            parts = {name: parse_section(model, _prefix(name, model), nested[name]) for name, model in models.items()}
            return function(**{name: value for name, value in arguments.items() if name in parameters}, **parts)

        rest = [parameter.replace(kind=_BY_NAME) for parameter in parameters.values() if parameter.name not in models]
        setting_parameters = [_parameter(leaf) for section_leaves in fields.values() for leaf in section_leaves]
        changes = [_changes()] if Settings in models.values() else []
        flow.__signature__ = inspect.Signature([*rest, *setting_parameters, *changes])  # type: ignore[attr-defined]
        return flow

    return decorate


def _changes() -> inspect.Parameter:
    """Return the form field for settings that have no field of their own in the form that is deployed."""
    title: dict[str, JsonValue] = {"title": "other settings"}
    text = "Any other setting, such as `training.seed=1` or `gate.when_silent=ask`: see docs/reference/settings.md."
    default: Any = Field(default=[], description=text, json_schema_extra=title)
    return inspect.Parameter(_CHANGES, _BY_NAME, default=default, annotation=list[str])


def _is_whole(parameter: inspect.Parameter) -> bool:
    return is_section(parameter.annotation)


def _prefix(name: str, model: type[Section]) -> tuple[str, ...]:
    return () if model is Settings else (name,)


def _parameter(leaf: Leaf) -> inspect.Parameter:
    """Return the form field of a setting: its type and limits, default, description, and dotted name as title."""
    kind: Any = leaf.info.annotation
    for limit in leaf.info.metadata:
        kind = Annotated[kind, limit]
    title: dict[str, JsonValue] = {"title": ".".join(leaf.path)}
    default = Field(default=leaf.info.default, description=leaf.info.description, json_schema_extra=title)
    return inspect.Parameter(leaf.name, _BY_NAME, default=default, annotation=kind)
