"""The README keeps pace: every setting, command and option is in it."""

import re
from collections.abc import Iterator, Mapping

import pytest
import typer
from pydantic.fields import FieldInfo
from typer.core import TyperCommand, TyperGroup

from configs.schema import Settings
from configs.servers import Operations
from flows.cli.app import app
from tests.servers import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(group: TyperGroup, prefix: str = "") -> Iterator[tuple[str, TyperCommand]]:
    """Name every command, those of groups with the group's name before."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{prefix}{name} ")
        elif isinstance(command, TyperCommand):
            yield f"{prefix}{name}", command


COMMANDS = dict(commands(typer.main.get_group(app)))


def settings() -> Iterator[tuple[str, FieldInfo]]:
    """Name every setting with its section."""
    for section, field in [*Settings.model_fields.items(), *Operations.model_fields.items()]:
        assert field.annotation
        for name, setting in field.annotation.model_fields.items():
            yield f"{section}.{name}", setting


def shown(setting: FieldInfo) -> str:
    """Write a default as the README does: a list with commas, nothing for what is empty."""
    value = "" if setting.is_required() else setting.default
    text = ", ".join(value) if isinstance(value, tuple | Mapping) else str(value)
    return f"`{text}`" if text else ""


def test_the_table_of_settings_is_the_schema() -> None:
    """Each setting's name, default and description stand in the README as in the schemas, in their order."""
    rows = []
    for name, setting in settings():
        rows.append(f"| `{name}` | {shown(setting)} | {setting.description} |")
    table = re.search(r"<!-- settings.*?-->(.*)<!-- /settings -->", README, re.DOTALL)
    assert table
    assert [line for line in table[1].splitlines() if line.startswith("| `")] == rows


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_is_described(name: str) -> None:
    """A command, its arguments and each of its options are in the README, and each says in its help what it is for."""
    command = COMMANDS[name]
    words = [name, *(str(one.metavar) for one in command.params if one.param_type_name == "argument")]
    assert f"`pedigree {' '.join(words)}" in README
    assert command.help
    for option in command.params:
        assert option.param_type_name == "argument" or f"`{option.opts[0]}" in README, option.opts
        assert getattr(option, "help", None), option.opts
