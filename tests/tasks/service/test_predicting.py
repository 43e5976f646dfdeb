"""Predictions for files: the answers of the service and of the evaluation, and what no answer costs the others."""

import os
from pathlib import Path

import pytest

from configs.errors import PedigreeError, SettingsError
from tasks.service.models.store_models import StoreModels
from tasks.service.predicting import list_photographs, open_model, predict_files
from tests.servers import wait_until
from tests.tasks.service.champions import ChampionStore, ask, ready, serving


def write(folder: Path, files: list[bytes]) -> list[Path]:
    """Write files, and name them."""
    folder.mkdir()
    paths = [folder / f"{number:02}.png" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    return paths


def test_files_get_the_answers_of_service_and_evaluation(champions: ChampionStore, tmp_path: Path) -> None:
    """The champion answers with the very bits of the evaluation, which the service sends; so does a former model."""
    former, present = champions.head(1), champions.head(2)
    champions.promote(former)
    champions.promote(present)
    files = champions.files[:3]
    paths, expected = write(tmp_path / "photos", files), champions.expected(present)
    with open_model(StoreModels(champions.store, "dogs"), "") as model:
        predictions = [answer.prediction for answer in predict_files(model, paths)]
    assert [prediction.probabilities for prediction in predictions] == [expected[data] for data in files]
    with serving(champions) as (_, client):
        wait_until(lambda: ready(client), 60, "the model", pause=0.02)
        answers = [ask(client, data).json() for data in files]
    for prediction, answer in zip(predictions, answers, strict=True):
        assert (prediction.label, prediction.probability, prediction.sure, prediction.probabilities) == (
            answer["label"],
            answer["probability"],
            answer["sure"],
            answer["probabilities"],
        )
    assert answers[0]["model"] == model.identity.to_dict()

    with open_model(StoreModels(champions.store, "dogs"), former.name[:12]) as other:
        (prediction,) = (answer.prediction for answer in predict_files(other, paths[:1]))
    assert (other.identity.version, prediction.probabilities) == ("1", champions.expected(former)[files[0]])


def test_a_file_that_cannot_be_used_stops_no_other(champions: ChampionStore, tmp_path: Path) -> None:
    """Words, half a picture, a pipe, a broken link and a file that is gone each get a reason; the dogs get answers."""
    champions.promote(champions.head(1))
    folder = tmp_path / "photos"
    paths = write(folder, [champions.files[0], b"words", champions.files[1][:500], champions.files[2]])
    os.mkfifo(folder / "pipe.png")
    (folder / "link.png").symlink_to("nowhere")
    (folder / ".DS_Store").write_bytes(b"")
    with open_model(StoreModels(champions.store, "dogs"), "") as model:
        listed = list_photographs([folder, tmp_path / "none.png"])
        answers = {Path(answer.file).name: answer.prediction for answer in predict_files(model, listed)}
    assert sorted(answers) == sorted([*(path.name for path in paths), "pipe.png", "link.png", "none.png"])
    problems = {name: answer.problem.partition(":")[0] for name, answer in answers.items() if answer.label is None}
    assert problems == {
        "01.png": "not-an-image",
        "02.png": "damaged",
        "pipe.png": "not-a-regular-file",
        "link.png": "cannot-be-read",
        "none.png": "cannot-be-read",
    }


def test_without_a_model_or_a_file_there_is_a_sentence(champions: ChampionStore, tmp_path: Path) -> None:
    """A store without a champion, a model that nobody knows and an empty folder are each answered in words."""
    models = StoreModels(champions.store, "dogs")
    with pytest.raises(PedigreeError, match="has no champion yet: pedigree retrain"), open_model(models, ""):
        pass
    with pytest.raises(SettingsError, match="knows no model 7"), open_model(models, "7"):
        pass
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match="There is no file in"):
        list_photographs([tmp_path / "empty"])
