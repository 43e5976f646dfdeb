"""The packaged model answers as it was measured, wherever it is loaded."""

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from configs.cores import count_cores
from configs.errors import PedigreeError
from tasks.domain.images.preprocessing import Limits
from tasks.modeling.backbone.backbone import Backbone
from tasks.modeling.backbone.embedding import embed_images
from tasks.modeling.head.head import Head
from tasks.modeling.packaged_model import Package, Predictor
from tests.tasks.modeling.processes import run_alone

_ABSENT = (
    "prefect",
    "boto3",
    "botocore",
    "lance",
    "mlflow",
    "pydantic",
    "configs.schema",
    "configs.load",
    "tasks.stores",
)


@pytest.fixture(scope="module")
def packaged(backbone: Backbone, head: Head, limits: Limits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a packaged model."""
    folder = tmp_path_factory.mktemp("model")
    Package(backbone.to_bytes(), backbone.facts, head.to_bytes(), limits).write(folder)
    return folder


def test_an_answer_is_what_evaluation_measures(
    packaged: Path, backbone: Backbone, head: Head, images: list[tuple[str, bytes]], limits: Limits
) -> None:
    """From an image's bytes to probabilities: bit for bit those of the head on stored features."""
    stored = head.probabilities(np.stack([vector for _, vector in embed_images(backbone, images, limits)]))
    answers = Predictor.load(packaged).predict([data for _, data in images])
    assert [list(answer.probabilities.values()) for answer in answers if answer.probabilities] == stored.tolist()
    assert [answer.label for answer in answers] == [head.classes[index] for index in stored.argmax(axis=1)]
    assert [answer.probability for answer in answers] == stored.max(axis=1).tolist()


def test_requests_at_once_share_the_threads_of_one_pool(packaged: Path, images: list[tuple[str, bytes]]) -> None:
    """Eight requests at once get their own answers, and no more threads work on them than there are cores."""
    predictor, files = Predictor.load(packaged), [data for _, data in images]
    alone = [predictor.predict([data]) for data in files[:2]]
    with ThreadPoolExecutor(8) as clients:
        together = list(clients.map(lambda number: predictor.predict([files[number % 2]]), range(8)))
    assert together == alone * 4
    workers = {thread.name for thread in threading.enumerate() if thread.name.startswith("predict")}
    assert 1 <= len(workers) <= count_cores()


def test_an_answer_says_whether_the_model_is_sure(
    backbone: Backbone, head: Head, images: list[tuple[str, bytes]], limits: Limits, tmp_path: Path
) -> None:
    """At its threshold the model is sure, below it is not, and its label is told all the same."""
    ranked = sorted(
        head.probabilities(np.stack([vector for _, vector in embed_images(backbone, images, limits)])).max(axis=1)
    )
    wary = replace(head, threshold=float(ranked[5]))
    Package(backbone.to_bytes(), backbone.facts, wary.to_bytes(), limits).write(tmp_path)
    answers = Predictor.load(tmp_path).predict([data for _, data in images])
    assert sorted(answer.sure for answer in answers) == [False] * 5 + [True] * (len(images) - 5)
    assert all(
        answer.sure == (answer.probability is not None and answer.probability >= ranked[5]) for answer in answers
    )
    assert all(answer.label for answer in answers)


def test_bad_images_get_a_reason_and_spoil_nothing(packaged: Path, images: list[tuple[str, bytes]]) -> None:
    """A text, half a picture, nothing and a huge file are each told what is wrong; the good image keeps its answer."""
    good = images[0][1]
    predictor = Predictor.load(packaged)
    answers = predictor.predict([b"woof", good, good[:900], b"", good + bytes(10**6)])
    assert [answer.problem.partition(":")[0] for answer in answers] == [
        "not-an-image",
        "",
        "damaged",
        "empty",
        "too-many-bytes",
    ]
    assert answers[1] == predictor.predict([good])[0]
    assert {
        (answer.label, answer.probability, answer.probabilities, answer.sure) for answer in answers if answer.problem
    } == {(None, None, None, False)}


def test_no_images_get_no_answers(packaged: Path) -> None:
    """An empty request is no error."""
    assert Predictor.load(packaged).predict([]) == []


def test_a_model_loads_where_nothing_else_is_installed(packaged: Path, images: list[tuple[str, bytes]]) -> None:
    """Prefect, boto3, Lance, MLflow and the settings may be missing; the answer is the same."""
    output, errors = run_alone(
        "import base64, json, pathlib, sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if any(name == one or name.startswith(one + '.') for one in {_ABSENT!r}):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from tasks.modeling.packaged_model import Predictor\n"
        f"image = base64.b64decode({base64.b64encode(images[0][1]).decode()!r})\n"
        f"[answer] = Predictor.load(pathlib.Path({str(packaged)!r})).predict([image])\n"
        "print(json.dumps(answer.probabilities))"
    )
    assert output == Predictor.load(packaged).predict([images[0][1]])[0].probabilities
    assert errors == ""


@pytest.mark.parametrize("name", ["model.json", "backbone.npz", "head.npz"])
@pytest.mark.parametrize("damage", ["missing", "half"])
def test_a_damaged_package_gets_a_sentence(packaged: Path, tmp_path: Path, name: str, damage: str) -> None:
    """Whichever file is missing or cut, loading says that the model is damaged."""
    for file in packaged.iterdir():
        data = file.read_bytes()
        if file.name != name:
            (tmp_path / file.name).write_bytes(data)
        elif damage == "half":
            (tmp_path / file.name).write_bytes(data[: len(data) // 2])
    with pytest.raises(PedigreeError, match="damaged"):
        Predictor.load(tmp_path)


def test_a_package_is_plain_to_read(packaged: Path, backbone: Backbone) -> None:
    """What a model was made of stands in a file that people can read in ten years."""
    facts = json.loads((packaged / "model.json").read_text())
    assert facts["backbone"] == backbone.facts
    assert facts["limits"] == {"max_bytes": 10**6, "max_pixels": 10**6, "min_side": 32}
