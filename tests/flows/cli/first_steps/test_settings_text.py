"""The settings file of somebody who begins."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from configs.errors import SettingsError
from configs.json_schema import settings_schema
from configs.load import read_settings
from configs.yaml_text import read_yaml
from flows.cli.first_steps.settings_text import Answers, write_settings_text

ANSWERS = Answers("photos", "folders", "", "imagenet")


@pytest.mark.parametrize("labels", ["folders", "manifest labels/all dogs.csv", "metadata"])
@pytest.mark.parametrize("backbone", ["imagenet", "demo", "random", "weights/inception.h5"])
@pytest.mark.parametrize("store", ["", "s3://dogs/pedigree"])
def test_every_answer_makes_settings_that_hold(tmp_path: Path, labels: str, backbone: str, store: str) -> None:
    """Whatever is answered, the file can be read, fits the JSON schema, and means what was answered."""
    sha256 = "ab" * 32 if "." in backbone else ""
    text = write_settings_text(Answers("s3://dogs/photos", labels, store, backbone, sha256), "schema.json", "pedigree")
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    settings = read_settings(path)
    Draft202012Validator(settings_schema()).validate(yaml.safe_load(text))
    assert settings.labels.sources == (labels.split(maxsplit=1)[0].replace("folders", "folder"),)
    assert settings.backbone.weights.endswith(backbone)
    assert settings.store.url.startswith(store)
    assert ("accuracy at least 0.5" in settings.gate.rules) == (backbone not in {"demo", "random"})


def test_every_comment_can_be_taken_as_a_setting(tmp_path: Path) -> None:
    """Whoever takes away the number signs before settings has settings that hold."""
    lines = write_settings_text(ANSWERS, "schema.json", "pedigree retrain").splitlines()[3:]
    path = tmp_path / "settings.yaml"
    path.write_text("\n".join(line.removeprefix("# ") for line in lines))
    settings = read_settings(path)
    assert (settings.labels.layout, settings.backbone.cut, settings.store.url) == (
        "label/coat",
        "auto",
        "s3://bucket/prefix",
    )


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
@example("Null")
@example("~")
@example("on")
@example("2026-11-30")
def test_any_name_of_a_folder_is_written_as_it_is(source: str) -> None:
    """Colons, quotes, number signs and brackets in a path, and YAML's own words, are text."""
    text = write_settings_text(replace(ANSWERS, source=source), "schema.json", "pedigree")
    assert read_yaml(text, "the text")["source"]["url"] == source


@pytest.mark.parametrize("labels", ["", "folder", "manifest", "metadata x"])
def test_another_way_to_label_is_refused(labels: str) -> None:
    """An answer that says no way to label is answered with those that do."""
    with pytest.raises(SettingsError, match=r"write folders, manifest .*, or metadata"):
        write_settings_text(replace(ANSWERS, labels=labels), "schema.json", "pedigree")
