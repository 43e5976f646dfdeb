"""The settings as tables, one a section, from the schemas."""

import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from configs.schema import Settings
from configs.servers import Operations


def find_sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """Name every section of a settings file with its model."""
    for name, field in [*Settings.model_fields.items(), *Operations.model_fields.items()]:
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, BaseModel)
        yield name, field.annotation


def show_default(setting: FieldInfo) -> str:
    """Write a default as people write it: a list with commas, nothing for what is empty."""
    value = "" if setting.is_required() else setting.default
    text = ", ".join(value) if isinstance(value, tuple | Mapping) else str(value)
    return f"`{text}`" if text else ""


def _link_pages(text: str) -> str:
    """Let the names of pages lead to them, from a page in docs/reference."""
    return re.sub(r"docs/([\w/-]+\.md)", r"[docs/\1](../\1)", text).replace("](../reference/", "](")


def list_settings(names: Sequence[str]) -> str:
    """Return the sections of those names, each with what it is about and a table of its settings."""
    parts = []
    for section, model in find_sections():
        if section in names:
            about = _link_pages(" ".join((model.__doc__ or "").replace("``", "`").split()))
            rows = [
                f"| `{section}.{name}` | {show_default(setting)} | {_link_pages(setting.description or '')} |"
                for name, setting in model.model_fields.items()
            ]
            table = ["| setting | default | what it is for |", "|---|---|---|", *rows]
            parts.append("\n".join([f"### {section}", "", about, "", *table]))
    return "\n\n".join(parts)
