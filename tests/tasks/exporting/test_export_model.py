"""An exported model stands alone: other people run it without this project, and get the answers that were evaluated."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard

from configs.card import Card
from configs.errors import PedigreeError
from tasks.exporting.export_model import ExportedModel, export_model
from tasks.modeling.backbone.backbone import random_backbone, with_engine
from tasks.modeling.export.predict import check
from tasks.modeling.head.head import Head
from tests.tasks.service.champions import ChampionStore, damage, dogs

# What an exported model may import beside Python's own modules.
PACKAGES = ("numpy", "onnxruntime", "pillow", "protobuf", "flatbuffers", "packaging")
# Runs a program where nothing but the packages of one folder can be imported, and prints which modules of ours it took.
ALONE = """
import runpy, sys
folder, program, *sys.argv[1:] = sys.argv[1:]
sys.argv[0] = program
sys.path.append(folder)
try:
    runpy.run_path(program, run_name="__main__")
finally:
    ours = {"configs", "flows", "infra", "tasks"}
    files = [module.__file__ for name, module in sys.modules.items() if name.split(".")[0] in ours]
    print(*sorted(files), sep="\\n", file=sys.stderr)
"""


@pytest.fixture(scope="module", params=["tensorflow", "onnxruntime"])
def champions(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ChampionStore:
    """Store of twelve drawn dogs with a champion whose features one engine computes, rounded to 16 bits by one.

    The other one has two layers' features side by side, which the cut ``auto`` may choose.
    """
    cut = "mixed0+mixed1" if request.param == "tensorflow" else "mixed0"
    backbone = with_engine(random_backbone(cut, 75), request.param)
    backbone = replace(backbone, precision="float16") if request.param == "onnxruntime" else backbone
    store = ChampionStore(str(tmp_path_factory.mktemp("exports") / "store"), backbone, dogs(12)).fill()
    store.promote(store.head(1))
    return store


@pytest.fixture(scope="module")
def exported(champions: ChampionStore, tmp_path_factory: pytest.TempPathFactory) -> ExportedModel:
    """Export the champion, which a person says more about."""
    card = Card(license="cc-by-4.0", base_model="someone/inception")
    return export_model(champions.store, "champion", tmp_path_factory.mktemp("exported") / "model", card, "pedigree")


def site(folder: Path) -> Path:
    """Make a folder of links to the packages that an exported model may import, and to nothing else."""
    folder.mkdir()
    for name in PACKAGES:
        tops = {path.parts[0] for path in metadata.files(name) or () if path.parts[0] not in {"..", "__pycache__"}}
        for top in tops:
            if not (folder / top).exists():
                (folder / top).symlink_to(str(metadata.distribution(name).locate_file(top)))
    return folder


def run_alone(arguments: Sequence[str], folder: Path, workspace: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Run an exported program in a Python that has no packages but its own, and return its answers and our modules."""
    done = subprocess.run(  # noqa: S603 - our own program
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            ALONE,
            str(site(workspace / "site")),
            str(folder / "predict.py"),
            *arguments,
        ],
        cwd=workspace,
        capture_output=True,
        text=True,
        check=False,
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.splitlines()


def test_it_answers_photographs_as_evaluated_where_this_project_is_not(
    champions: ChampionStore, exported: ExportedModel, tmp_path: Path
) -> None:
    """With NumPy, Pillow and ONNX Runtime alone each class is as probable as it was, and only modules beside it run."""
    folder = Path(exported.folder)
    paths = [tmp_path / f"{number}.png" for number in range(len(champions.files))]
    for path, data in zip(paths, champions.files, strict=True):
        path.write_bytes(data)
    (tmp_path / "text.jpg").write_bytes(b"woof")
    answers, modules = run_alone([*map(str, paths), str(tmp_path / "text.jpg")], folder, tmp_path)
    head = Head.from_bytes((folder / "weights" / "head.npz").read_bytes())
    for answer, expected in zip(answers, champions.expected(head).values(), strict=False):
        assert answer["probabilities"].keys() == expected.keys()
        assert np.allclose([*answer["probabilities"].values()], [*expected.values()], rtol=0, atol=exported.tolerance)
        assert answer["label"] == max(expected, key=expected.__getitem__)
        assert answer["sure"] == head.is_confident(answer["probability"])
    assert answers[-1]["problem"].startswith("not-an-image")
    assert modules
    assert all(Path(module).is_relative_to(folder / "code") for module in modules)


def test_the_export_was_checked_and_says_how_near_it_is(champions: ChampionStore, exported: ExportedModel) -> None:
    """Drawn pictures and test photographs were asked, and no photograph of the store is among its files."""
    folder = Path(exported.folder)
    assert exported.pictures == 10 + 6
    assert exported.widest < exported.tolerance == 1e-3
    files = {
        path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    assert {*champions.names} & {hashlib.sha256(data).hexdigest() for data in files.values()} == set()
    lines = (line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines())
    sums = {name: value for value, name in lines}
    named = {path.relative_to(folder).as_posix(): hashlib.sha256(data).hexdigest() for path, data in files.items()}
    assert sums == {name: value for name, value in named.items() if name != "SHA256SUMS"}
    assert len(sums) + 1 == exported.files


def test_its_card_is_one_of_the_hub(champions: ChampionStore, exported: ExportedModel) -> None:
    """Hugging Face's own class reads licence, base model and figures, and the text says how to load it."""
    folder = Path(exported.folder)
    assert exported.license == "cc-by-4.0"
    card = ModelCard.load(folder / "README.md")
    data = card.data.to_dict()
    assert (data["license"], data["base_model"], data["pipeline_tag"]) == (
        "cc-by-4.0",
        "someone/inception",
        "image-classification",
    )
    kinds = {(entry.metric_type, entry.dataset_revision, entry.dataset_split) for entry in card.data.eval_results}
    assert {("accuracy", champions.dataset, "test"), ("f1", champions.dataset, "test")} <= kinds
    for words in ("python predict.py --check", "## Out of scope", "## Limits and bias", "corgi, poodle, pug"):
        assert words in card.text


def test_a_changed_file_is_named(exported: ExportedModel, tmp_path: Path) -> None:
    """Whoever checks a folder of which one byte is another is told which file that is in."""
    folder = Path(exported.folder)
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", folder, copy], check=True)  # noqa: S603, S607 - our own folder
    assert not check(copy).problems
    damage(copy / "model.onnx")
    assert check(copy).problems == ["model.onnx is not the file that was exported."]


def test_nothing_is_left_where_it_cannot_be_written(champions: ChampionStore, tmp_path: Path) -> None:
    """A folder with files in it, a version that nobody knows and a store that is none end in a sentence."""
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    with pytest.raises(PedigreeError, match="is not an empty folder"):
        export_model(champions.store, "champion", full, Card(), "pedigree")
    with pytest.raises(PedigreeError, match="knows no model 77"):
        export_model(champions.store, "77", tmp_path / "new", Card(), "pedigree")
    with pytest.raises(PedigreeError):
        export_model(
            replace(champions, url=str(tmp_path / "none")).store, "champion", tmp_path / "new", Card(), "pedigree"
        )
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "mine.txt"]


@pytest.mark.parametrize("share", [0.01, 0.99], ids=["at the first file", "at the last ones"])
def test_a_full_disk_gets_nothing_half_written(
    champions: ChampionStore, disk: tuple[Path, Callable[[int], bool]], share: float
) -> None:
    """A sentence names the disk, and neither the folder nor a part of it is there; with room it is written."""
    folder, resize = disk
    assert resize(2**30)
    export_model(champions.store, "champion", folder / "model", Card(), "dogs")
    used = shutil.disk_usage(folder).used
    shutil.rmtree(folder / "model")
    assert resize(int(share * used))
    with pytest.raises(PedigreeError, match=r"The disk that holds .*model is full: make room and run again"):
        export_model(champions.store, "champion", folder / "model", Card(), "dogs")
    assert list(folder.iterdir()) == []


def test_an_export_that_answers_otherwise_is_not_written(
    champions: ChampionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its program finds other answers than the evaluation's, no folder appears, and the sentence says which."""
    monkeypatch.setattr("tasks.exporting.export_model.serving_tolerance", lambda _facts: -1.0)
    with pytest.raises(PedigreeError, match=r"answers otherwise: .* is answered with probabilities"):
        export_model(champions.store, "champion", tmp_path / "new", Card(), "pedigree")
    assert list(tmp_path.iterdir()) == []
