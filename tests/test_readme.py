"""The README is short, and the reference that it leads to keeps pace: each setting, command, option and package."""

import ast
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

REFERENCE = ROOT / "docs" / "reference"
SETTINGS_PAGE = (REFERENCE / "settings.md").read_text(encoding="utf-8")
COMMANDS_PAGE = (REFERENCE / "command-line.md").read_text(encoding="utf-8")
MODULES_PAGE = (REFERENCE / "modules.md").read_text(encoding="utf-8")


def test_the_readme_is_read_in_minutes() -> None:
    """The README says what this is, how to try and test it, and where to read on, in 600 to 900 words."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert 600 <= len(text.split()) <= 900
    assert all(f"\n{command} " in text for command in ("make demo", "make check", "make test"))


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
    """Write a default as the page does: a list with commas, nothing for what is empty."""
    value = "" if setting.is_required() else setting.default
    text = ", ".join(value) if isinstance(value, tuple | Mapping) else str(value)
    return f"`{text}`" if text else ""


def test_the_table_of_settings_is_the_schema() -> None:
    """Each setting's name, default and description stand on the page as in the schemas, in their order."""
    rows = []
    for name, setting in settings():
        rows.append(f"| `{name}` | {shown(setting)} | {setting.description} |")
    table = re.search(r"<!-- settings.*?-->(.*)<!-- /settings -->", SETTINGS_PAGE, re.DOTALL)
    assert table
    assert [line for line in table[1].splitlines() if line.startswith("| `")] == rows


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_is_described(name: str) -> None:
    """A command, its arguments and each of its options are on the page, and each says in its help what it is for."""
    command = COMMANDS[name]
    words = [name, *(str(parameter.metavar) for parameter in command.params if parameter.param_type_name == "argument")]
    assert f"`pedigree {' '.join(words)}" in COMMANDS_PAGE
    assert command.help
    for option in command.params:
        assert option.param_type_name == "argument" or f"`{option.opts[0]}" in COMMANDS_PAGE, option.opts
        assert getattr(option, "help", None), option.opts


def test_every_package_is_described() -> None:
    """Each package of the code is on the page of modules, and the page names no other."""
    packages = {
        f"{path.parent.relative_to(ROOT)}/"
        for folder in ("configs", "flows", "infra", "tasks")
        for path in (ROOT / folder).rglob("__init__.py")
    }
    described = set(re.findall(r"^\| `((?:configs|flows|infra|tasks)[\w/]*/)` \|", MODULES_PAGE, re.MULTILINE))
    assert described | {"tasks/domain/"} == packages


def test_the_picture_shows_the_steps_of_the_flow() -> None:
    """The picture of the line names each step that flows/retrain.py calls."""
    flow = ast.parse((ROOT / "flows" / "retrain.py").read_text(encoding="utf-8"))
    imports = [node for node in flow.body if isinstance(node, ast.ImportFrom) and node.module]
    steps = {
        alias.name
        for node in imports
        if re.match(r"tasks\.(?!domain|reports|stores|modeling)", node.module or "")
        for alias in node.names
        if alias.name.islower() and alias.name != "serving_probe"
    }
    picture = (ROOT / "docs" / "images" / "line.svg").read_text(encoding="utf-8")
    names = set(re.findall(r'font-weight="bold"[^>]*>([a-z_]+)</text>', picture))
    assert len(steps) >= 20
    assert steps - names == set()
