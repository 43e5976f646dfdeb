"""The commands with their arguments and options, from the command line itself."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeGuard

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from flows.cli.app import app

# An option that so many commands have under one description is described once, above them all.
_SHARED = 5
# What stands for the value of an option whose type says enough at a terminal.
_PLACEHOLDERS = {"--config": "FILE", "--port": "PORT"}
Parameter = TyperArgument | TyperOption


def find_commands(group: TyperGroup, prefix: str = "") -> Iterator[tuple[str, TyperCommand]]:
    """Name every command, those of groups with the group's name before."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from find_commands(command, f"{prefix}{name} ")
        elif isinstance(command, TyperCommand):
            yield f"{prefix}{name}", command


COMMANDS = dict(find_commands(typer.main.get_group(app)))


def list_parameters(command: TyperCommand) -> list[Parameter]:
    """Return a command's arguments and options, in their order."""
    return [parameter for parameter in command.params if isinstance(parameter, Parameter)]


def _spell(option: Parameter) -> str:
    """Write an option or argument with what it takes, such as ``--as-of DATE``."""
    if isinstance(option, TyperArgument):
        return f"`{option.metavar}`"
    names = [f"`{name}`" for name in option.opts[1:]]
    return ", ".join([*names, f"`{option.opts[0]} {_value(option)}`" if _value(option) else f"`{option.opts[0]}`"])


def _value(option: TyperOption) -> str:
    return "" if option.is_flag else option.metavar or _PLACEHOLDERS[option.opts[0]]


def _is_required(parameter: Parameter) -> TypeGuard[TyperOption]:
    return isinstance(parameter, TyperOption) and parameter.required


def _describe(option: Parameter) -> str:
    required = " Required." if _is_required(option) else ""
    return f"| {_spell(option)} | {getattr(option, 'help', None)}{required} |"


def _shared_options() -> dict[tuple[str, str], TyperOption]:
    options = [option for c in COMMANDS.values() for option in list_parameters(c) if isinstance(option, TyperOption)]
    counts = Counter((option.opts[0], str(option.help)) for option in options)
    return {key: option for option in options if counts[key := (option.opts[0], str(option.help))] >= _SHARED}


def describe_shared_options(_: Sequence[str]) -> str:
    """Return a table of the options that many commands have."""
    rows = [_describe(option) for option in _shared_options().values()]
    return "\n".join(["| option | what it does |", "|---|---|", *rows, "| `--help` | Show this help. |"])


def _describe_command(name: str) -> str:
    command, shared = COMMANDS[name], _shared_options()
    parameters = list_parameters(command)
    arguments = [str(parameter.metavar) for parameter in parameters if isinstance(parameter, TyperArgument)]
    common = [option for option in parameters if (option.opts[0], str(getattr(option, "help", ""))) in shared]
    rows = [_describe(option) for option in parameters if option not in common]
    table = ["", "| argument or option | what it does |", "|---|---|", *rows] if rows else []
    also = [f"`{option.opts[-1]}`{' (required)' if option.required else ''}" for option in common]
    takes = ["", f"Shared options: {', '.join(also)}."] if also else []
    required = [f"{option.opts[-1]} {_value(option)}" for option in parameters if _is_required(option)]
    usage = f"`pedigree {' '.join([name, *arguments, *required])}`"
    return "\n".join([f"### pedigree {name}", "", usage, "", str(command.help), *table, *takes])


def describe_commands(names: Sequence[str]) -> str:
    """Return the commands of those names: of a group all of its commands."""
    chosen = [name for word in names for name in COMMANDS if name == word or name.startswith(f"{word} ")]
    return "\n\n".join(_describe_command(name) for name in chosen)
