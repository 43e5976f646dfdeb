"""``pedigree init`` as a user runs it."""

import json
from pathlib import Path

import pytest

from configs.load import read_settings
from tests.flows.cli.test_app import pedigree, refused


def test_one_command_writes_settings_and_never_overwrites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it writes can be read; a file that is there stays as it is, and so does a link that leads nowhere."""
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path / "home"))
    file, link = tmp_path / "settings.yaml", tmp_path / "link.yaml"
    given = (
        "--source",
        "s3://dogs/photos",
        "--labels",
        "metadata",
        "--store",
        "s3://dogs/store",
        "--backbone",
        "random",
    )
    plain = json.loads(pedigree("init", str(file), *given, "--json").stdout)
    assert plain["file"] == str(file)
    assert plain["settings"] == read_settings(file).model_dump(mode="json")
    text = file.read_text()
    refused(pedigree("init", str(file), "--yes"), 2, "exists, and is not overwritten")
    assert file.read_text() == text
    link.symlink_to(tmp_path / "elsewhere.yaml")
    refused(pedigree("init", str(link), "--yes"), 2, "exists, and is not overwritten")
    assert not (tmp_path / "elsewhere.yaml").exists()


def test_a_source_that_is_not_there_is_told_where_nobody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings file is written all the same: photographs may come later."""
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path / "home"))
    done = pedigree("init", str(tmp_path / "settings.yaml"), "--yes", "--source", str(tmp_path / "photos"))
    assert done.returncode == 0
    assert f"There is no folder {tmp_path}/photos" in done.stderr
    assert read_settings(tmp_path / "settings.yaml").source.url == str(tmp_path / "photos")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("--labels", "by magic", "says no way to label"), ("--source", "s3://ann:hush@dogs", "holds a password")],
)
def test_wrong_answers_write_nothing(tmp_path: Path, option: str, value: str, words: str) -> None:
    """An answer that is no setting is told in a sentence, and there is no file."""
    done = pedigree("init", str(tmp_path / "settings.yaml"), "--yes", option, value)
    refused(done, 2, words)
    assert "hush" not in done.stderr
    assert list(tmp_path.iterdir()) == []
