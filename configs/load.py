"""Reading settings files, the only place that does."""

import difflib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from configs.environment import (
    absolute,
    embedded_mlflow,
)
from configs.errors import SettingsError
from configs.schema import RETIRED, Settings, Tracking
from configs.sections import Section
from configs.servers import Operations
from configs.visible_text import shown
from configs.yaml_text import LONGEST, read_yaml

S = TypeVar("S", bound=Section)

# So many characters of what somebody wrote are repeated.
_SHOWN = 100
_NUMBER = re.compile(r"[-+.\d][-+.:\w]*")


def read_settings(path: Path, changes: Sequence[str] = ()) -> Settings:
    """Read a settings file and apply changes such as ``training.seed=1``; raise SettingsError for what is wrong."""
    values = _changed(path, changes)
    operations = _operations(values, path)
    settings = parse_settings(
        {name: section for name, section in values.items() if name not in Operations.model_fields}, str(path)
    )
    if not settings.tracking.url and (operations.servers.mlflow_database or operations.servers.authentication):
        message = f"{path}: servers needs tracking.url: set it to MLflow's address, such as http://127.0.0.1:5000."
        raise SettingsError(message)
    _note_retired(values, path)
    return resolve(settings)


def _note_retired(values: Mapping[str, Any], path: Path) -> None:
    if named := sorted(RETIRED & set(values.get("training") or {})):
        names = " and ".join(f"training.{name}" for name in named)
        sys.stderr.write(
            f"{path}: {names} changed nothing: a head is fitted to its optimum now. Leave it out; fine_tuning has"
            " epochs, batch and learning_rate of its own.\n"
        )


def read_operations(path: Path, changes: Sequence[str] = ()) -> Operations:
    """Read what the same file says to the servers; raise SettingsError for what is wrong."""
    operations = _operations(_changed(path, changes), path)
    servers = operations.servers.model_copy(update={"artifacts": absolute(operations.servers.artifacts)})
    return operations.model_copy(update={"servers": servers})


def parse_settings(values: object, origin: str) -> Settings:
    """Turn plain values into settings; raise SettingsError naming the origin and the first wrong setting."""
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise _settings_error(origin, error) from None


def parse_section(section: type[S], path: tuple[str, ...], values: Mapping[str, Any]) -> S:
    """Turn what a form holds into a section, or all of them where the place is empty, as ``parse_settings`` does."""
    fields: Any = values
    for name in path:
        fields = fields.get(name, {})
    try:
        return section.model_validate(fields)
    except ValidationError as error:
        raise _settings_error("The form", error, path) from None


def _settings_error(origin: str, error: ValidationError, path: tuple[str, ...] = ()) -> SettingsError:
    first = error.errors(include_url=False)[0]
    return SettingsError(f"{origin}: {_explain({**first, 'loc': (*path, *first['loc'])})}")


def resolve(settings: Settings) -> Settings:
    """Make every path absolute and name the embedded MLflow database where no MLflow address is set."""
    backbone = settings.backbone
    weights = absolute(backbone.weights) if backbone.is_file else backbone.weights
    changes = {
        "source": settings.source.model_copy(update={"url": absolute(settings.source.url)}),
        "store": settings.store.model_copy(update={"url": absolute(settings.store.url)}),
        "tracking": resolve_tracking(settings.tracking),
        "backbone": backbone.model_copy(update={"weights": weights}),
    }
    return settings.model_copy(update=changes)


def resolve_tracking(tracking: Tracking) -> Tracking:
    """Name the embedded MLflow database where no MLflow address is set."""
    return tracking.model_copy(update={"url": tracking.url or embedded_mlflow()})


def _changed(path: Path, changes: Sequence[str]) -> dict[str, Any]:
    values = _read_yaml(path)
    for change in changes:
        _apply(values, change)
    return values


def _operations(values: Mapping[str, Any], path: Path) -> Operations:
    try:
        return Operations.model_validate(
            {name: section for name, section in values.items() if name in Operations.model_fields}
        )
    except ValidationError as error:
        raise SettingsError(f"{path}: {_explain(error.errors(include_url=False)[0])}") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(LONGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        message = f"The settings file {path} cannot be read: {reason}."
        raise SettingsError(message) from None
    values = read_yaml(text, f"The settings file {path}")
    if not isinstance(values, dict):
        message = f"The settings file {path} must hold sections such as source: and store:, see configs/nightly.yaml."
        raise SettingsError(message)
    return values


def _apply(values: dict[str, Any], change: str) -> None:
    name, equals, text = change.partition("=")
    section, dot, setting = name.partition(".")
    if not (equals and dot and isinstance(values.setdefault(section, {}), dict)):
        message = f"--set {shown(change[:_SHOWN])}: write it as section.setting=value, such as training.seed=1."
        raise SettingsError(message)
    value = read_yaml(text, f"--set {name[:_SHOWN]}")
    if value is None:
        raise SettingsError(f"--set {name[:_SHOWN]}= has no value: write one, or '' for none.")
    values[section][setting] = value


def _explain(error: ErrorDetails) -> str:
    path = [str(part) for part in error["loc"]]
    name = ".".join(path)
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, [*_names(Settings), *_names(Operations)], n=1)
        return f"there is no setting {name}" + (f"; did you mean {near[0]}?" if near else ".")
    if error["type"] == "missing":
        return f"the setting {name} is missing."
    if error["type"] == "secret":
        return f"{name} {error['msg']}."
    if error["type"] == "value_error":
        return f"{error['ctx']['error']}."
    wrong = f"{name} = {_shown(error['input'])} is not allowed: {error['msg'][0].lower()}{error['msg'][1:]}"
    choices = re.findall("'([^']*)'", str(error["ctx"]["expected"])) if error["type"] == "literal_error" else []
    near = difflib.get_close_matches(str(error["input"]), choices, n=1)
    return f"{wrong}; did you mean {near[0]}?" if near else f"{wrong}."


def _shown(value: object) -> str:
    """Write what stands in the settings: numbers as they are, words in quotes, and of much only the beginning."""
    text = shown(value if isinstance(value, str) and _NUMBER.fullmatch(value) else repr(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _names(field.annotation, f"{prefix}{name}.")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting: where it stands, and what the schema says of it."""

    path: tuple[str, ...]
    info: FieldInfo

    @property
    def name(self) -> str:
        """The name of its field."""
        return "_".join(self.path)


def list_leaves(model: type[Section], path: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield every setting of a section in its order, or of all of them but those that are left out."""
    for name, info in model.model_fields.items():
        if not is_section(info.annotation):
            yield Leaf((*path, name), info)
        elif name not in without:
            yield from list_leaves(info.annotation, (*path, name), without)


def fill_form(settings: Settings, *without: str) -> dict[str, Any]:
    """Return all fields, but those of sections left out, as these settings fill them in, in what JSON can hold."""
    plain = settings.model_dump(mode="json")
    return {leaf.name: _at(plain, leaf.path) for leaf in list_leaves(Settings, without=without)}


def nest_fields(fields: list[Leaf], given: Mapping[str, Any]) -> dict[str, Any]:
    """Put fields back into sections; a field that is not given is not there."""
    values: dict[str, Any] = {}
    for leaf in fields:
        if leaf.name in given:
            section = values
            for part in leaf.path[:-1]:
                section = section.setdefault(part, {})
            section[leaf.path[-1]] = given[leaf.name]
    return values


def is_section(kind: Any) -> TypeGuard[type[Section]]:  # noqa: ANN401 - any annotation
    """Tell whether a type is a section of the settings, or all of them."""
    return isinstance(kind, type) and issubclass(kind, Section)


def _at(plain: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - whatever JSON can hold
    return _at(plain[path[0]], path[1:]) if path else plain
