"""What every command line has beside its commands: its version, and help that is easy to read."""

import shutil
import sys
from pathlib import Path

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from configs.environment import code_version
from flows.cli.terminal import write

PROGRAM = "pedigree"
# Digits of a commit that name it.
_SHORT = 12


def print_version(given: bool) -> None:  # noqa: FBT001 - the flag as it was given
    """Print version and commit, and end the program, where the flag was given.

    Args:
        given: Whether it was.

    Raises:
        typer.Exit: It was.
    """
    if given:
        write(f"{describe_version()}\n")
        raise typer.Exit


def program_name() -> str:
    """Return how the program is called from the current folder: by its name where the shell knows it, else its path."""
    called = Path(sys.argv[0])
    installed = shutil.which(PROGRAM)
    if called.name != PROGRAM or (installed and called.exists() and called.samefile(installed)):
        return PROGRAM
    return str(called)


class _Argument(TyperArgument):
    """An argument whose help shows no type."""

    def display_type_rich(self, ctx: object) -> str:  # noqa: ARG002 - as its base has it
        """Return nothing."""
        return ""


def describe_version() -> str:
    """Return the version with the commit that it was made from, and whether anything was changed since."""
    from importlib.metadata import version

    code = code_version()
    commit, changed = code["git_commit"], ", with changes" if code["git_dirty"] == "yes" else ""
    named = f"commit {commit[:_SHORT]}{changed}" if " " not in commit else commit
    return f"pedigree {version('pedigree')} ({named})"


def hide_types(command: object) -> None:
    """Leave out ``<bool>`` beside the flags of a command, and the Python type of its arguments; also of those below it.

    A flag takes no value, and what an argument is stands beside it in words.
    """
    if isinstance(command, TyperCommand | TyperGroup):
        help_option = command.get_help_option(typer.Context(command))
        for option in [*command.params, help_option]:
            if isinstance(option, TyperOption) and option.is_flag:
                option.metavar = ""
            elif isinstance(option, TyperArgument):
                option.__class__ = _Argument
    if isinstance(command, TyperGroup):
        for below in command.commands.values():
            hide_types(below)
