"""The help of every command, the version, and completion."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from flows.cli.app import app
from flows.cli.help_page import describe_version, hide_types, program_name
from tests.flows.cli.test_app import PEDIGREE, pedigree
from tests.servers import ROOT


def pages(command: TyperCommand | TyperGroup, name: str) -> Iterator[tuple[str, str]]:
    """Yield each option of a command, and of those below it, with the type that its help shows."""
    context = typer.Context(command, info_name=name)
    for option in [*command.params, command.get_help_option(context)]:
        if isinstance(option, TyperOption):
            yield f"{name} {option.opts[0]}", str(option.display_type_rich(context))
    if isinstance(command, TyperGroup):
        for below, inner in command.commands.items():
            assert isinstance(inner, TyperCommand | TyperGroup)
            yield from pages(inner, below)


def test_no_flag_asks_for_a_value() -> None:
    """Beside a flag stands no type, since it takes no value; --help is one as well."""
    command = typer.main.get_command(app)
    hide_types(command)
    assert isinstance(command, TyperGroup)
    types = dict(pages(command, "pedigree"))
    assert len(types) > 100
    assert [name for name, text in types.items() if "bool" in text] == []
    assert types["retrain --json"] == types["retrain --help"] == ""


def test_the_version_names_the_commit() -> None:
    """The version of the package stands there with the commit of the checkout."""
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607 - fixed
    done = pedigree("--version")
    assert done.stdout == f"{describe_version()}\n"
    assert re.fullmatch(rf"pedigree \d+\.\d+\.\d+ \(commit {commit[:12]}(, with changes)?\)\n", done.stdout)


def test_commands_are_named_as_a_person_types_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the shell finds the program its name is enough; else it is named by the path that it was called by."""
    program = tmp_path / "pedigree"
    program.touch(mode=0o700)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", "/nowhere")
    assert program_name() == str(program)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program_name() == "pedigree"
    monkeypatch.setattr(sys, "argv", ["/somewhere/pytest"])
    assert program_name() == "pedigree"


@pytest.mark.parametrize(
    ("typed", "expected"), [("data ver", "verify"), ("retrain --set fine_tuning.tr", "fine_tuning.trial=")]
)
def test_the_shell_completes_commands_and_settings(typed: str, expected: str) -> None:
    """What the completion of bash asks for is answered with the one word that fits."""
    words = ["pedigree", *typed.split()]
    question = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1), "_PEDIGREE_COMPLETE": "complete_bash"}
    done = subprocess.run([PEDIGREE], env=question, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line
    assert done.stdout.split() == [expected], done.stderr


def test_help_waits_for_no_library_of_a_run() -> None:
    """What only prints help imports neither the settings' schema nor anything that computes, stores or serves."""
    slow = ["keras", "lance", "mlflow", "numpy", "prefect", "pydantic", "tensorflow"]
    program = f"import sys, flows.cli.app; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - fixed
    assert done.stdout == "[]\n"
