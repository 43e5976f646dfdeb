"""Forms for issues are as GitHub takes them, and name commands that exist."""

import re
from pathlib import Path

import pytest
import yaml

from tests.reference.commands import COMMANDS
from tests.servers import ROOT

_FORMS = [path for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if path.name != "config.yml"]
_TYPES = {"markdown", "input", "textarea", "dropdown", "checkboxes"}


@pytest.mark.parametrize("form", _FORMS, ids=lambda form: form.name)
def test_a_form_is_as_github_takes_it(form: Path) -> None:
    """A form has a name, a description and fields of known types; each field to fill in has a label and its own id."""
    text = form.read_text(encoding="utf-8")
    fields = yaml.safe_load(text)
    assert {"name", "description", "body"} <= set(fields)
    assert {field["type"] for field in fields["body"]} <= _TYPES
    questions = [field for field in fields["body"] if field["type"] != "markdown"]
    assert all(field["attributes"]["label"] for field in questions)
    assert len({field["id"] for field in questions}) == len(questions) > 0
    assert set(re.findall(r"`pedigree ([a-z]+)", text)) <= {name.split()[0] for name in COMMANDS}
