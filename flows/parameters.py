"""The run form in the Prefect UI: one flat field a setting, made from the settings, so that it is their manual."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, TypeVar

from pydantic import Field, JsonValue
from pydantic_core import PydanticUndefined

from configs.flat_fields import Leaf, is_section, leaves, nested
from configs.load import parse_section
from configs.schema import Settings
from configs.sections import Section

R = TypeVar("R")
_BY_NAME = inspect.Parameter.KEYWORD_ONLY


def flat_parameters(*without: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Let a flow take each setting by itself where its function takes whole sections of them.

    ``settings: Settings`` becomes source_url, store_url and so on, ``store: Store`` becomes store_url; sections named
    here keep their defaults. A value that is not allowed raises SettingsError before the first step.
    """

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        parameters = inspect.signature(function).parameters
        models: dict[str, type[Section]] = {
            name: parameter.annotation for name, parameter in parameters.items() if _is_whole(parameter)
        }
        fields = {name: list(leaves(model, _prefix(name, model), without)) for name, model in models.items()}

        @wraps(function)
        def flow(**given: Any) -> R:  # noqa: ANN401 - what the form was filled in with
            arguments = {name: value for name, value in given.items() if value is not PydanticUndefined}
            parts = {
                name: parse_section(model, _prefix(name, model), nested(fields[name], arguments))
                for name, model in models.items()
            }
            return function(**{name: value for name, value in arguments.items() if name in parameters}, **parts)

        rest = [parameter.replace(kind=_BY_NAME) for parameter in parameters.values() if parameter.name not in models]
        setting_parameters = [_parameter(leaf) for section_leaves in fields.values() for leaf in section_leaves]
        flow.__signature__ = inspect.Signature([*rest, *setting_parameters])  # type: ignore[attr-defined]
        return flow

    return decorate


def _is_whole(parameter: inspect.Parameter) -> bool:
    return is_section(parameter.annotation)


def _prefix(name: str, model: type[Section]) -> tuple[str, ...]:
    return () if model is Settings else (name,)


def _parameter(leaf: Leaf) -> inspect.Parameter:
    """Make the field: its type and limits, what it starts with, its meaning, and its name as everywhere else."""
    kind: Any = leaf.info.annotation
    for limit in leaf.info.metadata:
        kind = Annotated[kind, limit]
    title: dict[str, JsonValue] = {"title": ".".join(leaf.path)}
    default = Field(default=leaf.info.default, description=leaf.info.description, json_schema_extra=title)
    return inspect.Parameter(leaf.name, _BY_NAME, default=default, annotation=kind)
