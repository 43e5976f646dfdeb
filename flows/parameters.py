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


def form(*without: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Let a flow take each setting by itself where its function takes whole sections of them.

    ``settings: Settings`` becomes source_url, store_url and so on, ``store: Store`` becomes store_url; sections named
    here keep their defaults. A value that is not allowed raises SettingsProblem before the first step.
    """

    def made(function: Callable[..., R]) -> Callable[..., R]:
        own = inspect.signature(function).parameters
        models: dict[str, type[Section]] = {name: one.annotation for name, one in own.items() if _is_whole(one)}
        fields = {name: list(leaves(model, _place(name, model), without)) for name, model in models.items()}

        @wraps(function)
        def flow(**given: Any) -> R:  # noqa: ANN401 - what the form was filled in with
            told = {name: value for name, value in given.items() if value is not PydanticUndefined}
            parts = {
                name: parse_section(model, _place(name, model), nested(fields[name], told))
                for name, model in models.items()
            }
            return function(**{name: value for name, value in told.items() if name in own}, **parts)

        rest = [one.replace(kind=_BY_NAME) for one in own.values() if one.name not in models]
        asked = [_parameter(leaf) for some in fields.values() for leaf in some]
        flow.__signature__ = inspect.Signature([*rest, *asked])  # type: ignore[attr-defined]
        return flow

    return made


def _is_whole(parameter: inspect.Parameter) -> bool:
    return is_section(parameter.annotation)


def _place(name: str, model: type[Section]) -> tuple[str, ...]:
    return () if model is Settings else (name,)


def _parameter(leaf: Leaf) -> inspect.Parameter:
    """Make the field: its type and limits, what it starts with, its meaning, and its name as everywhere else."""
    kind: Any = leaf.info.annotation
    for limit in leaf.info.metadata:
        kind = Annotated[kind, limit]
    title: dict[str, JsonValue] = {"title": ".".join(leaf.path)}
    default = Field(default=leaf.info.default, description=leaf.info.description, json_schema_extra=title)
    return inspect.Parameter(leaf.name, _BY_NAME, default=default, annotation=kind)
