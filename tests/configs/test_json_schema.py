"""The JSON schema of a settings file: what an editor is told is what Pedigree reads."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]

from configs.json_schema import SCHEMA_FILE, settings_schema
from configs.load import read_settings
from tests.servers import ROOT

SHIPPED = sorted([*(ROOT / "configs").glob("*.yaml"), ROOT / "infra" / "compose" / "settings.yaml"])
SCHEMA = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))


def test_the_schema_is_the_settings() -> None:
    """The file is what the settings say today; python -m configs.json_schema writes it anew."""
    assert settings_schema() == SCHEMA
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_settings_name_their_schema_and_fit_it(path: Path) -> None:
    """The first line of each shipped file leads an editor to the schema, and the file has no mistake for it."""
    first, _, text = path.read_text(encoding="utf-8").partition("\n")
    comment, _, name = first.partition("$schema=")
    assert comment == "# yaml-language-server: "
    assert (path.parent / name).resolve() == SCHEMA_FILE
    Draft202012Validator(SCHEMA).validate(yaml.safe_load(text))
    assert read_settings(path)


@pytest.mark.parametrize(
    "values",
    [
        {"source": {"url": "photos"}, "trainning": {}},
        {"source": {"url": "photos", "ulr": ""}},
        {"source": {"url": "photos"}, "training": {"seed": -1}},
        {"source": {"url": "photos"}, "backbone": {"cut": "mixd7"}},
        {"store": {"url": "store"}},
    ],
)
def test_mistakes_are_marked(values: dict[str, Any]) -> None:
    """An unknown name, a number out of range, a word that is none of the choices and a lacking source are mistakes."""
    with pytest.raises(ValidationError):
        Draft202012Validator(SCHEMA).validate(values)
