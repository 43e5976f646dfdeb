"""Settings files: read, validated, changed by options, and laid out as the fields of a form."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from configs.environment import absolute, embedded_mlflow, home
from configs.errors import SettingsError
from configs.explanations import LONGEST_SHOWN, explain
from configs.schema import RETIRED, Settings, Tracking
from configs.sections import TLS_FILES, Scale, Section
from configs.servers import Operations
from configs.visible_text import shown
from configs.yaml_text import LONGEST, read_yaml

S = TypeVar("S", bound=Section)


def read_settings(path: Path, changes: Sequence[str] = ()) -> Settings:
    """Read a settings file.

    Args:
        path: The file.
        changes: Changes such as ``training.seed=1``, as --set takes them.

    Returns:
        The settings with absolute paths.

    Raises:
        SettingsError: The file cannot be read, or a setting is wrong.
    """
    values = _with_store(_changed(path, changes))
    operations = _operations(values, path)
    settings = parse_settings(
        {name: section for name, section in values.items() if name not in Operations.model_fields}, str(path)
    )
    if not settings.tracking.url and (operations.servers.mlflow_database or operations.servers.authentication):
        message = f"{path}: servers needs tracking.url: set it to MLflow's address, such as http://127.0.0.1:5000."
        raise SettingsError(message)
    _note_retired(values, path)
    return resolve(settings)


def _with_store(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with the store in Pedigree's home folder, where MLflow's database lies, if they name none."""
    section = values.setdefault("store", {})
    if isinstance(section, dict):
        section.setdefault("url", str(home() / "store"))
    return values


def _note_retired(values: Mapping[str, Any], path: Path) -> None:
    if named := sorted(RETIRED & set(values.get("training") or {})):
        names = " and ".join(f"training.{name}" for name in named)
        sys.stderr.write(
            f"{path}: {names} changed nothing: a head is fitted to its optimum now. Leave it out; fine_tuning has"
            " epochs, batch and learning_rate of its own.\n"
        )


def read_operations(path: Path, changes: Sequence[str] = ()) -> Operations:
    """Read the sections of a settings file that are for the servers.

    Args:
        path: The file.
        changes: Changes such as ``notify.silent_hours=48``, as --set takes them.

    Returns:
        The sections with absolute paths.

    Raises:
        SettingsError: The file cannot be read, or a setting is wrong.
    """
    operations = _operations(_changed(path, changes), path)
    servers = operations.servers.model_copy(update={"artifacts": absolute(operations.servers.artifacts)})
    inbox = operations.inbox.model_copy(update={"url": absolute(operations.inbox.url)})
    return operations.model_copy(update={"servers": servers, "inbox": inbox})


def parse_settings(values: object, origin: str) -> Settings:
    """Build settings from plain values.

    Args:
        values: Sections by name, as JSON has them.
        origin: Where the values come from, as the beginning of an error's sentence.

    Returns:
        The settings.

    Raises:
        SettingsError: A setting is wrong; the first one is named.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_describe(origin, error)) from None


def apply_changes(values: dict[str, Any], changes: Sequence[str], origin: str) -> None:
    """Change settings that are nested by sections.

    Args:
        values: The settings; they are changed.
        changes: Changes such as ``training.seed=1``.
        origin: Where they come from, for errors.

    Raises:
        SettingsError: One is not written so, or has no value.
    """
    for change in changes:
        _apply(values, change, origin)


def parse_section(section: type[S], path: tuple[str, ...], values: Mapping[str, Any]) -> S:
    """Build a section of the settings from the values of a form.

    Args:
        section: The section's class; Settings for all of them.
        path: The section's name; empty for all of them.
        values: The form's values, nested by sections.

    Returns:
        The section.

    Raises:
        SettingsError: A setting is wrong; the first one is named.
    """
    fields: Any = values
    for name in path:
        fields = fields.get(name, {})
    try:
        return section.model_validate(fields)
    except ValidationError as error:
        raise SettingsError(_describe("The form", error, path)) from None


def _describe(origin: str, error: ValidationError, path: tuple[str, ...] = ()) -> str:
    # A name that is misspelt explains the one that is missing.
    first = min(error.errors(include_url=False), key=lambda details: details["type"] != "extra_forbidden")
    return f"{origin}: {explain({**first, 'loc': (*path, *first['loc'])})}"


def resolve(settings: Settings) -> Settings:
    """Return the settings with absolute paths, and with the embedded MLflow database where no MLflow is named."""
    backbone = settings.backbone
    weights = absolute(backbone.weights) if backbone.is_file else backbone.weights
    changes = {
        "source": settings.source.model_copy(update={"url": absolute(settings.source.url)}),
        "store": settings.store.model_copy(update={"url": absolute(settings.store.url)}),
        "tracking": resolve_tracking(settings.tracking),
        "backbone": backbone.model_copy(update={"weights": weights}),
        "scale": resolve_scale(settings.scale),
    }
    return settings.model_copy(update=changes)


def resolve_scale(scale: Scale) -> Scale:
    """Return the section with absolute paths of the files of TLS."""
    return scale.model_copy(update={name: absolute(getattr(scale, name)) for name in TLS_FILES})


def resolve_tracking(tracking: Tracking) -> Tracking:
    """Return the section with the embedded MLflow database where no MLflow is named."""
    return tracking.model_copy(update={"url": tracking.url or embedded_mlflow()})


def _changed(path: Path, changes: Sequence[str]) -> dict[str, Any]:
    values = _read_yaml(path)
    apply_changes(values, changes, "--set")
    return values


def _operations(values: Mapping[str, Any], path: Path) -> Operations:
    try:
        return Operations.model_validate(
            {name: section for name, section in values.items() if name in Operations.model_fields}
        )
    except ValidationError as error:
        raise SettingsError(f"{path}: {explain(error.errors(include_url=False)[0])}") from None


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
        message = f"The settings file {path} must hold sections such as source: and store:; pedigree init writes one."
        raise SettingsError(message)
    return values


def _apply(values: dict[str, Any], change: str, origin: str) -> None:
    name, equals, text = change.partition("=")
    section, dot, setting = name.partition(".")
    if not (equals and dot and isinstance(values.setdefault(section, {}), dict)):
        message = (
            f"{origin} {shown(change[:LONGEST_SHOWN])}: write it as section.setting=value, such as training.seed=1."
        )
        raise SettingsError(message)
    value = read_yaml(text, f"{origin} {name[:LONGEST_SHOWN]}")
    if value is None:
        raise SettingsError(f"{origin} {name[:LONGEST_SHOWN]}= has no value: write one, or '' for none.")
    values[section][setting] = value


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting: its path in the sections, and its definition in the schema."""

    path: tuple[str, ...]
    info: FieldInfo

    @property
    def name(self) -> str:
        """Return the name of its form field."""
        return "_".join(self.path)


def list_leaves(model: type[Section], path: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """List every setting of a section, or of all sections.

    Args:
        model: The section's class; Settings for all of them.
        path: The section's name; empty for all of them.
        without: Names of sections that are left out.

    Yields:
        The settings in the schema's order.
    """
    for name, info in model.model_fields.items():
        if not is_section(info.annotation):
            yield Leaf((*path, name), info)
        elif name not in without:
            yield from list_leaves(info.annotation, (*path, name), without)


def fill_form(settings: Settings, *without: str) -> dict[str, Any]:
    """Return the form fields filled in with these settings.

    Args:
        settings: The settings.
        *without: Names of sections that are left out.

    Returns:
        Values that JSON can hold, by the name of their field.
    """
    plain = settings.model_dump(mode="json")
    return {leaf.name: _at(plain, leaf.path) for leaf in list_leaves(Settings, without=without)}


def nest_fields(fields: list[Leaf], given: Mapping[str, Any]) -> dict[str, Any]:
    """Nest the values of form fields by sections.

    Args:
        fields: The fields of the form.
        given: The values by the name of their field; a field that is not given is left out.

    Returns:
        The nested values.
    """
    values: dict[str, Any] = {}
    for leaf in fields:
        if leaf.name in given:
            section = values
            for part in leaf.path[:-1]:
                section = section.setdefault(part, {})
            section[leaf.path[-1]] = given[leaf.name]
    return values


def is_section(kind: Any) -> TypeGuard[type[Section]]:  # noqa: ANN401 - any annotation
    """Return whether a type is a section of the settings, or all of them."""
    return isinstance(kind, type) and issubclass(kind, Section)


def _at(plain: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - whatever JSON can hold
    return _at(plain[path[0]], path[1:]) if path else plain
