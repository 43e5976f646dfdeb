"""``pedigree predict`` as a user runs it."""

import json

import pytest

from flows.cli.answers.predict import describe_predictions, describe_unanswered, render_predictions
from flows.cli.terminal import render
from tasks.domain.serving.answers import ModelIdentity
from tasks.modeling.packaged_model import Prediction
from tasks.service.predicting import FilePrediction
from tests.flows.cli.test_app import pedigree, refused

MODEL = ModelIdentity("dogs", "3", 7, "c473" * 16, "net", "ab" * 32, "")
ANSWERS = [
    FilePrediction("photos/a.jpg", Prediction("poodle", 0.974, sure=True, probabilities={"poodle": 0.974}, problem="")),
    FilePrediction("b.jpg", Prediction("pug", 0.41, sure=False, probabilities={"pug": 0.41}, problem="")),
    FilePrediction(
        "c\u202e.jpg", Prediction(None, None, sure=False, probabilities=None, problem="not-an-image: it is words")
    ),
]


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_table_says_plainly_what_the_model_knows(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sure answer is a class, an unsure one is I don't know with the best guess, and none has its reason."""
    monkeypatch.setenv("COLUMNS", columns)
    lines = render(render_predictions(MODEL, ANSWERS)).splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["photos/a.jpg", "poodle", "0.974"],
        ["b.jpg", "I", "don't", "know:", "perhaps", "pug", "0.410"],
    ]
    assert "no answer: not-an-image: it is words" in lines[3]
    assert "\u202e" not in lines[3]
    assert lines[-1] == "By dogs 3@c473, trained on version abababababab."
    assert max(map(len, lines)) <= int(columns)
    unsure = render(render_predictions(MODEL, ANSWERS, never_sure=True))
    assert "each answer is its best guess" in " ".join(unsure.split())


def test_json_holds_every_answer() -> None:
    """One object names the model and gives each file's probabilities, and counts files without an answer."""
    plain = json.loads(json.dumps(describe_predictions(MODEL, ANSWERS)))
    assert (plain["model"]["version"], plain["unanswered"]) == ("3", 1)
    assert [(answer["file"], answer["label"], answer["sure"]) for answer in plain["predictions"][:2]] == [
        ("photos/a.jpg", "poodle", True),
        ("b.jpg", "pug", False),
    ]


def test_others_are_named_where_there_are_some() -> None:
    """A single file that is no picture leaves none that has an answer."""
    assert describe_unanswered(1, 1) == "1 file of 1 cannot be used as a photograph."
    assert describe_unanswered(1, 3) == "1 file of 3 cannot be used as a photograph; all others have an answer."


def test_it_needs_a_store_with_a_champion(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without a store, and with one that is not there, one sentence says what to do."""
    folder = tmp_path_factory.mktemp("none")
    (folder / "a.jpg").write_bytes(b"")
    refused(pedigree("predict", str(folder / "a.jpg")), 2, "-c FILE", "--store URL")
    refused(pedigree("predict", str(folder), "--store", f"{folder}/store"), 1, f"{folder}/store")
