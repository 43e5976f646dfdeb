"""The four questions: typed, given or left to the defaults."""

import io
import sys
from pathlib import Path

import pytest

from configs.errors import PedigreeError, SettingsError
from flows.cli.first_steps.questions import Given, answer_questions, suggest_labels
from tasks.domain.hashing import sha256_of_bytes


class Keyboard(io.StringIO):
    """What a person types at a terminal."""

    def isatty(self) -> bool:
        """Tell that it is one."""
        return True


def test_a_person_is_asked_four_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong folder is told and asked again, an empty line takes the default, and the questions leave stdout alone."""
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path / "home"))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "labels.csv").write_text("")
    monkeypatch.setattr(sys, "stdin", Keyboard(f"nowhere\n{tmp_path}/photos\n\n\ndemo\n"))
    answers = answer_questions(Given("", "", "", "", defaults=False))
    assert (answers.source, answers.labels, answers.store, answers.backbone) == (
        f"{tmp_path}/photos",
        "manifest labels.csv",
        "",
        "demo",
    )
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "There is no folder" in shown.err
    assert shown.err.count("?") == 5


def test_each_wrong_answer_is_asked_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What no settings file can hold is never taken; what may still come is, when it is typed twice."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "a file").write_bytes(b"weights")
    lines = ["photos", "foo", "metadata", "manifest", "manifest none.csv", "manifest none.csv"]
    lines += ["photos/store", "a file", "store", "none.h5", "a file", ""]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", Keyboard("\n".join(lines)))
    answers = answer_questions(Given("", "", "", "", defaults=False))
    assert (answers.labels, answers.store, answers.backbone) == ("manifest none.csv", "store", "a file")
    said = capsys.readouterr().err
    for sentence in (
        "'foo' says no way to label",
        "Only S3 objects have metadata",
        "'manifest' says no way to label",
        "photos holds no file none.csv",
        "overlap: keep photographs and store in separate places",
        "Nothing can be written into",
        "There is no weights file none.h5",
    ):
        assert said.count(sentence) == 1


def test_without_a_terminal_options_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All four options, or the defaults, ask nothing; with less a sentence names the options."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    weights = tmp_path / "w.h5"
    weights.write_bytes(b"weights")
    answers = answer_questions(Given("photos", "folders", "store", str(weights), defaults=False))
    assert answers.sha256 == sha256_of_bytes(b"weights")
    assert answer_questions(Given("dogs", "", "", "", defaults=True)).source == "dogs"
    with pytest.raises(SettingsError, match=r"--source, --labels, --store and --backbone, .* --yes"):
        answer_questions(Given("photos", "", "", "", defaults=False))
    with pytest.raises(SettingsError, match="There is no weights file"):
        answer_questions(Given("photos", "folders", "store", str(tmp_path / "none.h5"), defaults=False))


def test_questions_that_nobody_answers_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the input is the end of the questions, and says that nothing was written."""
    monkeypatch.setattr(sys, "stdin", Keyboard(""))
    with pytest.raises(PedigreeError, match="no settings file was written"):
        answer_questions(Given("", "", "", "", defaults=False))


def test_labels_are_suggested_by_what_lies_there(tmp_path: Path) -> None:
    """Class folders speak for folders, a lone manifest for itself, and an unknown place for folders."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "all.jsonl").write_text("")
    assert suggest_labels(str(tmp_path / "photos")) == "manifest all.jsonl"
    (tmp_path / "photos" / "poodle").mkdir()
    assert suggest_labels(str(tmp_path / "photos")) == suggest_labels(str(tmp_path / "none")) == "folders"
