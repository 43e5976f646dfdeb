"""Settings as flat fields: ``training.seed`` is the field training_seed of a run form."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from pydantic.fields import FieldInfo

from configs.schema import Settings
from configs.sections import Section


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting: where it stands, and what the schema says of it."""

    path: tuple[str, ...]
    info: FieldInfo

    @property
    def name(self) -> str:
        """The name of its field."""
        return "_".join(self.path)


def leaves(model: type[Section], path: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield every setting of a section in its order, or of all of them but those that are left out."""
    for name, info in model.model_fields.items():
        if not is_section(info.annotation):
            yield Leaf((*path, name), info)
        elif name not in without:
            yield from leaves(info.annotation, (*path, name), without)


def filled(settings: Settings, *without: str) -> dict[str, Any]:
    """Return all fields, but those of sections left out, as these settings fill them in, in what JSON can hold."""
    plain = settings.model_dump(mode="json")
    return {leaf.name: _at(plain, leaf.path) for leaf in leaves(Settings, without=without)}


def nested(fields: list[Leaf], given: Mapping[str, Any]) -> dict[str, Any]:
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
