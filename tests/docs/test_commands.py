"""Every command of the README and the pages under docs/ runs, or stands in one table with the reason why not."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from flows.cli.app import app
from tests.docs.blocks import (
    LANGUAGES,
    commands,
    fenced,
    indented,
    inline_commands,
    is_a_test,
    pages,
    search_expressions,
)
from tests.docs.not_run import NOT_RUN
from tests.docs.sandbox import Sandbox, make_sandbox
from tests.servers import ROOT, prefect_server

_FILES = re.compile(r"(?<![\w/.-])(?:infra|configs|tests)/[\w./-]*\w")
_MODULE = re.compile(r"-m (tests\.benchmarks\.\w+)")
# What a search for these finds is in every store of the sandbox; other expressions are only read.
_FOUND = re.compile("3f9c…|'rejected'|model_version` = '3'")
_FIRST = ("README.md", "docs/tutorials/first-hour.md")
# An image that is taken back is in no version any more, so this page comes last.
_LAST = "docs/how-to/taking-an-image-back.md"
_RUNNING = [page for page in pages() if any(block.language == "bash" for block in fenced(page))]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Stand in the checkout of a newcomer, whose home folder is in it, beside a Prefect server.

    The pages make deployments and limits there, which other tests must not meet.
    """
    folder = tmp_path_factory.mktemp("checkout")
    with pytest.MonkeyPatch.context() as patch, prefect_server(tmp_path_factory.mktemp("prefect-of-pages")) as server:
        patch.setenv("PREFECT_API_URL", server.api_url)
        patch.setenv("PEDIGREE_HOME", str(folder / ".pedigree"))
        patch.chdir(folder)
        updates = {PREFECT_API_URL: server.api_url, PREFECT_LOGGING_TO_API_ENABLED: False}
        with temporary_settings(updates=updates), make_sandbox(folder, server.api_url) as checkout:
            yield checkout


@pytest.mark.parametrize("page", pages())
def test_every_block_names_its_language(page: str) -> None:
    """Whoever reads a block, a person or a test, knows whether it is a command, settings, or what a program says."""
    assert [str(block) for block in indented(page)] == []
    assert [str(block) for block in fenced(page) if block.language not in LANGUAGES] == []


@pytest.mark.parametrize("page", sorted(_RUNNING, key=lambda page: page == _LAST))
def test_the_commands_of_a_page_run_in_its_order(page: str, sandbox: Sandbox) -> None:
    """From top to bottom, with what the page exports; and MLflow reads the search expressions that stand there."""
    blocks = [block for block in fenced(page) if block.language == "bash"]
    to_run = [command for block in blocks for command in commands(block) if not _left_out(command)]
    if page not in _FIRST and to_run:
        sandbox.make_four_models()
    environment = dict[str, str]()
    for command in to_run:
        sandbox.run(command, environment)
    results = {expression: sandbox.search(expression) for expression in search_expressions(page)}
    assert [text for text, number in results.items() if _FOUND.search(text) and not number] == []


@pytest.mark.parametrize("page", _RUNNING)
def test_what_is_not_run_is_well_formed(page: str) -> None:
    """The files and modules that it names exist, and Pedigree knows its command with these options."""
    for block in fenced(page):
        for command in commands(block) if block.language == "bash" else ():
            if _left_out(command):
                _check(command)


def test_the_table_has_no_line_too_many() -> None:
    """Each line of the table is about a command of the pages, and the test that it names exists."""
    written = [
        command for page in pages() for block in fenced(page) if block.language == "bash" for command in commands(block)
    ]
    assert [line.pattern for line in NOT_RUN if not any(map(line.matches, written))] == []
    assert [line.test for line in NOT_RUN if line.test and not is_a_test(line.test)] == []


@pytest.mark.parametrize("page", pages())
def test_commands_in_sentences_exist(page: str) -> None:
    """A command that a sentence names exists, with each option that stands there."""
    for text in inline_commands(page):
        words = shlex.split(text.replace("'", "")) if text.count("'") % 2 else shlex.split(text)
        _find(words[1:])


def _left_out(command: str) -> bool:
    return any(line.matches(command) for line in NOT_RUN)


def _check(command: str) -> None:
    assert [name for name in _FILES.findall(command) if not (ROOT / name).exists() and not name.endswith(".env")] == []
    if module := _MODULE.search(command):
        path = ROOT / Path(*module[1].split("."))
        sources = [path.with_suffix(".py")] if path.with_suffix(".py").is_file() else list(path.glob("*.py"))
        text = "".join(source.read_text(encoding="utf-8") for source in sources)
        assert sources, command
        assert [option for option in re.findall(r"--[a-z-]+", command) if option not in text] == []
    words = shlex.split(command, comments=True)
    if words[0].rpartition("/")[2] == "pedigree":
        group, name, rest = _find(words[1:])
        assert group.commands[name].make_context(name, [word for word in rest if word != "..."])


def _find(words: list[str]) -> tuple[Any, str, list[str]]:
    """Find the command that words begin with, and check that it has the options that follow."""
    group: Any = typer.main.get_command(app)
    while words and words[0] in group.commands:
        name, *words = words
        command = group.commands[name]
        if not hasattr(command, "commands"):
            options_of_command = {option for parameter in command.params for option in parameter.opts}
            options = {word.partition("=")[0] for word in words if word.startswith("-")} - {"--help"}
            assert options <= options_of_command, f"{name} knows no {options - options_of_command}"
            return group, name, words
        group = command
    assert not words or words[0].startswith("-"), f"there is no command {words}"
    return group, "", words
