"""The reference keeps pace with the code: what comes from it is written by a command, and a test compares."""

import re
from itertools import chain
from pathlib import Path

import pytest

from tests.reference.commands import COMMANDS, list_parameters
from tests.reference.decisions import DECISIONS, find_decisions
from tests.reference.pages import PARTS, find_pages, find_parts, render_page
from tests.reference.settings import find_sections
from tests.servers import ROOT

COMMANDS_PAGE = ROOT / "docs" / "reference" / "command-line.md"
PAGES = find_pages()
WORDS = {
    kind: [word for page in PAGES for part, words in find_parts(page) if part == kind for word in words]
    for kind in PARTS
}
SUBJECTS = sorted(path.stem for path in DECISIONS.glob("*.md") if path.name != "README.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_is_generated_is_what_the_code_says(page: Path) -> None:
    """The generated parts of a page are those that ``make reference`` writes."""
    text = page.read_text(encoding="utf-8")
    assert text == render_page(text)


def test_every_part_stands_on_a_page() -> None:
    """Each kind of part is on a page, each command and section once, and each page of decisions in the index."""
    assert {kind for page in PAGES for kind, _ in find_parts(page)} == set(PARTS)
    headings = re.findall(r"^### pedigree (.+)$", COMMANDS_PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(COMMANDS)
    assert sorted(WORDS["settings"]) == sorted(name for name, _ in find_sections())
    assert sorted(WORDS["decisions"]) == SUBJECTS


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_says_what_it_is_for(name: str) -> None:
    """A command has a help text, and so has each of its arguments and options."""
    assert COMMANDS[name].help
    assert [option.opts for option in list_parameters(COMMANDS[name]) if not option.help] == []


def test_every_decision_has_a_date_and_a_status() -> None:
    """Below the heading of each decision stand its date and that it is accepted; what was superseded names its heir."""
    decisions = list(chain.from_iterable(find_decisions(subject) for subject in SUBJECTS))
    assert [decision.title for decision in decisions if not decision.date] == []
    for subject in SUBJECTS:
        _, _, superseded = (DECISIONS / f"{subject}.md").read_text("utf-8").partition("\n## Superseded\n")
        rows = [line.split(" | ") for line in superseded.splitlines() if line.startswith("| ")][1:]
        assert [row for row in rows if not re.match(r"\d{4}-\d\d-\d\d$", row[1]) or "](" not in row[2]] == []
