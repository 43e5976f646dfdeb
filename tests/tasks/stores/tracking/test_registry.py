"""Model versions and aliases in MLflow, kept by an embedded database and by a real server."""

import subprocess
import sys
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.models import Model

from configs.errors import PedigreeError
from tasks.serving.model_package import write_mlflow_model
from tasks.stores.tracking import registry, runs
from tasks.stores.tracking.client import check_tracking

_TAGS = {"pedigree.head": "a" * 64, "pedigree.dataset": "b" * 64}


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of an embedded database."""
    return f"sqlite:///{tmp_path_factory.mktemp('registry')}/mlflow.db"


@pytest.fixture(params=["database", "mlflow_server"])
def url(request: pytest.FixtureRequest) -> str:
    """Each of the two places where MLflow can keep models."""
    server = request.getfixturevalue(request.param)
    address = server if isinstance(server, str) else str(server.url)
    check_tracking(address)
    return address


@pytest.fixture
def model() -> str:
    """Name of a model that nobody has registered yet."""
    return f"model {uuid4()}"


@pytest.fixture
def run_id(url: str) -> str:
    """Run that the model comes from."""
    return runs.start_run(url, "registry tests", {}, {})


@pytest.fixture
def packaged(tmp_path: Path) -> Path:
    """Folder with the three files of a model; the registry does not look into them."""
    folder = tmp_path / "packaged"
    folder.mkdir()
    for name in ("model.json", "backbone.npz", "head.npz"):
        (folder / name).write_bytes(name.encode())
    return folder


def test_versions_count_up_and_are_found_by_their_tags(url: str, model: str, run_id: str, packaged: Path) -> None:
    """A run that is repeated finds what it registered, and another run's model is another version."""
    assert registry.find_version(url, model, _TAGS) is None
    assert registry.register(url, model, run_id, _TAGS, partial(write_mlflow_model, packaged)) == "1"
    assert (
        registry.register(
            url, model, run_id, _TAGS | {"pedigree.dataset": "c" * 64}, partial(write_mlflow_model, packaged)
        )
        == "2"
    )
    assert registry.find_version(url, model, _TAGS) == "1"
    assert registry.find_version(url, model, _TAGS | {"pedigree.dataset": "c" * 64}) == "2"
    assert registry.find_version(url, model, _TAGS | {"pedigree.head": "d" * 64}) is None


def test_a_version_leads_back_to_its_run_and_the_run_to_its_model(
    url: str, model: str, run_id: str, packaged: Path
) -> None:
    """Links go both ways."""
    version = registry.register(url, model, run_id, _TAGS, partial(write_mlflow_model, packaged))
    client = MlflowClient(url)
    registered = client.get_model_version(model, version)
    assert (registered.run_id, registered.status, registered.tags) == (run_id, "READY", _TAGS)
    outputs = client.get_run(run_id).outputs
    assert outputs is not None
    (output,) = outputs.model_outputs
    assert f'"version": "{version}"' in client.get_logged_model(output.model_id).tags["mlflow.modelVersions"]


def test_an_alias_names_one_version_and_can_move(url: str, model: str, run_id: str, packaged: Path) -> None:
    """An alias names the version that it was pointed at last, and none once it was taken away."""
    versions = [registry.register(url, model, run_id, _TAGS, partial(write_mlflow_model, packaged)) for _ in range(2)]
    registry.set_alias(url, model, "champion", None)
    for version in (*versions, versions[0]):
        registry.set_alias(url, model, "champion", version)
        assert _aliases(url, model) == {"champion": version}
    registry.set_alias(url, model, "champion", None)
    assert _aliases(url, model) == {}


def test_an_alias_cannot_name_a_version_that_is_not_there(url: str, model: str, run_id: str, packaged: Path) -> None:
    """Neither before the first version nor beside it: it is answered, not raised, and nothing changes."""
    assert not registry.set_alias(url, model, "champion", "1")
    assert registry.read_aliases_and_tags(url, model) == ({}, {})
    version = registry.register(url, model, run_id, _TAGS, partial(write_mlflow_model, packaged))
    assert registry.set_alias(url, model, "champion", version)
    assert not registry.set_alias(url, model, "champion", "7")
    assert registry.read_aliases_and_tags(url, model) == ({"champion": version}, {})


def test_a_model_gains_and_loses_a_note(url: str, model: str, run_id: str, packaged: Path) -> None:
    """What is to be said of the model itself stands there until there is nothing to say."""
    registry.tag_model(url, model, "look", "at this")
    registry.register(url, model, run_id, _TAGS, partial(write_mlflow_model, packaged))
    registry.tag_model(url, model, "look", "at this")
    assert registry.read_aliases_and_tags(url, model)[1] == {"look": "at this"}
    registry.tag_model(url, model, "look", "")
    assert registry.read_aliases_and_tags(url, model)[1] == {}


def _aliases(url: str, model: str) -> dict[str, str]:
    """Read all aliases; an embedded database gives versions as numbers, a server as texts."""
    return {alias: str(version) for alias, version in MlflowClient(url).get_registered_model(model).aliases.items()}


def test_a_version_gains_tags(url: str, model: str, run_id: str, packaged: Path) -> None:
    """What is decided later stands beside what was known at registration."""
    version = registry.register(url, model, run_id, _TAGS, partial(write_mlflow_model, packaged))
    for outcome in ("rejected", "promoted"):
        registry.tag_version(url, model, version, {"pedigree.outcome": outcome})
    assert MlflowClient(url).get_model_version(model, version).tags == _TAGS | {"pedigree.outcome": "promoted"}


def test_a_registered_model_holds_its_files_its_code_and_its_packages_and_nothing_else(
    url: str, model: str, run_id: str, packaged: Path, tmp_path: Path
) -> None:
    """The folder is all that another machine needs, without weights that are there twice or byte code."""
    folder = _downloaded(
        url, model, registry.register(url, model, run_id, _TAGS, partial(write_mlflow_model, packaged)), tmp_path
    )
    for path in packaged.iterdir():
        assert (folder / "artifacts" / path.name).read_bytes() == path.read_bytes()
    code = [path.relative_to(folder / "code") for path in (folder / "code").rglob("*") if path.is_file()]
    assert {path.suffix for path in code} == {".py"}
    assert {path.parts[:2] for path in code if path.name != "__init__.py"} == {
        ("configs", "cores.py"),
        ("configs", "errors.py"),
        ("configs", "visible_text.py"),
        ("tasks", "domain"),
        ("tasks", "modeling"),
    }
    assert (folder / "model.py").exists()
    pins = (folder / "requirements.txt").read_text().split("\n")
    assert pins.pop() == "-c constraints.txt"
    assert all("==" in pin for pin in (*pins, *(folder / "constraints.txt").read_text().split("\n")))


def test_a_registered_model_says_what_it_takes_and_gives(
    url: str, model: str, run_id: str, packaged: Path, tmp_path: Path
) -> None:
    """The signature names the bytes of an image, and the class with all probabilities."""
    folder = _downloaded(
        url, model, registry.register(url, model, run_id, _TAGS, partial(write_mlflow_model, packaged)), tmp_path
    )
    described = Model.load(str(folder))
    assert described.run_id == run_id
    assert described.signature.inputs.input_names() == ["image"]
    assert described.signature.outputs.input_names() == ["label", "probability", "sure", "probabilities", "problem"]


def test_a_project_in_the_current_folder_is_not_taken_for_the_model_s(
    url: str, model: str, run_id: str, packaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever retrains from inside another uv project gets the same model, and nothing is left in that folder."""
    folder = packaged.parent
    files = {name: (folder / name).write_text("[project]") for name in ("uv.lock", "pyproject.toml")}
    monkeypatch.chdir(folder)
    version = registry.register(url, model, run_id, _TAGS, partial(write_mlflow_model, packaged))
    assert {path.name for path in folder.iterdir()} == {*files, "packaged"}
    assert not {path.name for path in _downloaded(url, model, version, folder).iterdir()} & set(files)


def test_nothing_is_printed(
    url: str, model: str, run_id: str, packaged: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """MLflow's log stays off the terminal, where progress bars and JSON are."""
    version = registry.register(url, model, run_id, _TAGS, partial(write_mlflow_model, packaged))
    registry.set_alias(url, model, "champion", version)
    assert capfd.readouterr() == ("", "")


def test_a_name_that_mlflow_does_not_take_is_told_in_one_sentence(url: str, run_id: str, packaged: Path) -> None:
    """What MLflow refuses is a Problem and not a traceback."""
    with pytest.raises(PedigreeError, match="refused"):
        registry.register(url, "a/b", run_id, _TAGS, partial(write_mlflow_model, packaged))


def test_registering_does_not_need_tensorflow() -> None:
    """The registry only copies what was packaged."""
    code = "import sys, tasks.stores.tracking.registry; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603


def _downloaded(url: str, model: str, version: str, folder: Path) -> Path:
    source = MlflowClient(url).get_model_version_download_uri(model, version)
    return Path(download_artifacts(source, dst_path=str(folder / "copy"), tracking_uri=url))
