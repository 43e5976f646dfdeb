"""Runs in MLflow, kept by an embedded database and by a real server."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow.data
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.utils.validation import _validate_metric_name

from configs.errors import PedigreeError, SettingsError
from tasks.stores.tracking import runs
from tasks.stores.tracking.batches import metric_name
from tasks.stores.tracking.client import check_tracking
from tests.benchmarks.tracking import CLASSES, counted, write_run
from tests.servers import MlflowServer

_HASH = "0123456789abcdef" * 4


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of an embedded database, in a folder with a space in its name."""
    return f"sqlite:///{tmp_path_factory.mktemp('home folder')}/mlflow.db"


@pytest.fixture(params=["database", "mlflow_server"])
def url(request: pytest.FixtureRequest) -> str:
    """Each of the two places where MLflow can keep runs."""
    server = request.getfixturevalue(request.param)
    return server if isinstance(server, str) else str(server.url)


@pytest.fixture
def run_id(url: str) -> str:
    """Run that has just been opened."""
    check_tracking(url)
    return runs.start_run(url, "tracking tests", {"training.seed": "1"}, {"pedigree.dataset": _HASH})


def test_a_run_holds_its_settings_and_tags_under_a_readable_name(url: str, run_id: str) -> None:
    """Whoever opens the run sees which settings and which dataset version it was."""
    run = MlflowClient(url).get_run(run_id)
    assert run.data.params == {"training.seed": "1"}
    assert run.data.tags["pedigree.dataset"] == _HASH
    assert run.info.run_name.endswith(" UTC")
    assert run.info.status == "RUNNING"


def test_runs_of_one_experiment_are_kept_together(url: str, run_id: str) -> None:
    """The second run finds the experiment that the first one made."""
    other = runs.start_run(url, "tracking tests", {}, {})
    client = MlflowClient(url)
    assert client.get_run(other).info.experiment_id == client.get_run(run_id).info.experiment_id


def test_every_epoch_arrives_also_when_there_are_more_figures_than_a_request_may_hold(url: str, run_id: str) -> None:
    """MLflow takes a thousand figures at once; 300 epochs with four figures are more."""
    names = ("loss", "accuracy", "validation_loss", "validation_accuracy")
    runs.log_epochs(url, run_id, [(epoch, dict.fromkeys(names, 1 / epoch)) for epoch in range(1, 301)])
    history = MlflowClient(url).get_metric_history(run_id, "validation_accuracy")
    assert sorted((metric.step, metric.value) for metric in history) == [(epoch, 1 / epoch) for epoch in range(1, 301)]


def test_figures_of_classes_in_any_script_are_kept(url: str, run_id: str) -> None:
    """A class may be named in any language and with any sign."""
    figures = {
        "accuracy": 0.5,
        "recall/柴犬": 1.0,
        "recall/l'été (x)": 0.25,
        "recall/..": 0.0,
        f"recall/{'x' * 255}": 0.75,
    }
    runs.log_metrics(url, run_id, figures)
    metrics = MlflowClient(url).get_run(run_id).data.metrics
    assert sorted(metrics.values()) == sorted(figures.values())
    assert (metrics["accuracy"], metrics["recall/柴犬"]) == (0.5, 1.0)


def test_the_dataset_is_an_input_named_by_its_hash(url: str, run_id: str) -> None:
    """The digest is the hash's first half, the tag all of it, and the source leads back to the photographs."""
    runs.log_dataset(url, run_id, _HASH, "s3://kennel/photographs", 250)
    inputs = MlflowClient(url).get_run(run_id).inputs
    assert inputs is not None
    (dataset_input,) = inputs.dataset_inputs
    assert dataset_input.dataset.digest == _HASH[:32]
    assert {tag.key: tag.value for tag in dataset_input.tags}["pedigree.dataset"] == _HASH
    assert dataset_input.dataset.profile == '{"images": 250}'
    assert mlflow.data.get_source(dataset_input).to_json() == '{"uri": "s3://kennel/photographs"}'


def test_files_are_kept_with_the_run_and_not_in_the_current_folder(
    url: str, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files come back byte for byte, and nothing is left where the command happened to be started."""
    monkeypatch.chdir(tmp_path)
    runs.log_files(url, run_id, {"dataset/card.json": b"{}", "notes.txt": b"\x00\xff"})
    assert list(tmp_path.iterdir()) == []
    artifact_uri = MlflowClient(url).get_run(run_id).info.artifact_uri
    folder = Path(download_artifacts(artifact_uri, dst_path=str(tmp_path / "copy"), tracking_uri=url))
    assert (folder / "dataset" / "card.json").read_bytes() == b"{}"
    assert (folder / "notes.txt").read_bytes() == b"\x00\xff"


def test_a_finished_run_says_what_was_decided(url: str, run_id: str) -> None:
    """The MLflow run is closed under the retraining's name, with its tags and its last figures."""
    runs.finish(url, run_id, "2026-11-24 promoted, 120 new", {"pedigree.outcome": "promoted"}, {"dataset/images": 250})
    run = MlflowClient(url).get_run(run_id)
    assert (run.info.status, run.info.end_time > 0) == ("FINISHED", True)
    assert run.info.run_name == "2026-11-24 promoted, 120 new"
    assert run.data.tags["pedigree.outcome"] == "promoted"
    assert run.data.metrics["dataset/images"] == 250


def test_nothing_is_printed(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    """MLflow's log and its links stay off the terminal, where progress bars and JSON are."""
    check_tracking(url)
    run_id = runs.start_run(url, "tracking tests", {}, {})
    runs.finish(url, run_id, "a run", {}, {})
    assert capfd.readouterr() == ("", "")


def test_a_run_that_is_gone_is_told_in_one_sentence(url: str) -> None:
    """What MLflow refuses is a Problem and not a traceback."""
    check_tracking(url)
    _one_sentence(lambda: runs.log_metrics(url, "0" * 32, {"accuracy": 1.0}), "refused")


def test_runs_that_start_at_once_share_one_new_database(tmp_path: Path) -> None:
    """Two processes that both find no database both get a working one, and it is the same."""
    url = f"sqlite:///{tmp_path}/home/mlflow.db"
    code = (
        "from tasks.stores.tracking.client import check_tracking; from tasks.stores.tracking.runs import start_run; "
        f"check_tracking({url!r}); print(start_run({url!r}, 'new', {{}}, {{}}))"
    )
    rivals = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]  # noqa: S603
    runs = [rival.communicate()[0].strip() for rival in rivals]
    assert {MlflowClient(url).get_run(run).info.run_id for run in runs} == set(runs)
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["mlflow.db"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://dog:biscuit@127.0.0.1:1", "http://nowhere.invalid"])
def test_a_server_that_does_not_answer_is_named_without_its_password(address: str) -> None:
    """Nobody waits minutes for a server that is not there, and no message gives a password away."""
    assert "biscuit" not in _one_sentence(lambda: check_tracking(address), "does not answer")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b"no", "MLFLOW_TRACKING_PASSWORD"),
        (403, b"no", "MLFLOW_TRACKING_PASSWORD"),
        (404, b'{"detail": "Not Found"}', "not as MLflow does"),
        (200, b"<html>hello</html>", "not as MLflow does"),
        (503, b"later", "does not answer"),
    ],
)
def test_a_server_that_is_not_mlflow_or_wants_a_password_is_told_apart(status: int, body: bytes, words: str) -> None:
    """The sentence says which of the two it was."""
    with _answering(status, body) as address:
        _one_sentence(lambda: check_tracking(address), words)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """A file of another kind, and a folder that cannot be made, are told in one sentence."""
    (tmp_path / "notes").write_bytes(b"not a database" * 100)
    _one_sentence(lambda: check_tracking(f"sqlite:///{tmp_path}/notes"), "file is not a database")
    _one_sentence(lambda: check_tracking(f"sqlite:///{tmp_path}/notes/mlflow.db"), "cannot be written")


@pytest.mark.parametrize("address", ["mlruns", "ftp://somewhere", "sqlite://"])
def test_an_address_of_another_kind_is_a_wrong_setting(address: str) -> None:
    """Only servers and embedded databases are places for runs."""
    with pytest.raises(SettingsError, match="is no address of MLflow"):
        check_tracking(address)


@given(st.text(min_size=1))
def test_any_text_becomes_a_name_that_mlflow_takes(text: str) -> None:
    """No class name can make a run fail at its end."""
    name = metric_name(text)
    _validate_metric_name(name)  # type: ignore[no-untyped-call]
    assert len(name) <= 250


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_texts_keep_different_names(first: str, other: str) -> None:
    """Two classes never share a figure."""
    assert (metric_name(first) == metric_name(other)) == (first == other)


def _one_sentence(act: Callable[[], None], words: str) -> str:
    with pytest.raises(PedigreeError, match=words) as caught:
        act()
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


@contextmanager
def _answering(status: int, body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_run_that_was_never_closed_is_found_by_its_tags(url: str) -> None:
    """A retraining that starts again carries on the MLflow run that was left open; a closed one stays closed."""
    tags = {"pedigree.dataset": _HASH, "pedigree.head": "never closed"}
    assert runs.find_open_run(url, "left open", tags) is None
    run_id = runs.start_run(url, "left open", {}, tags)
    assert runs.find_open_run(url, "left open", tags) == run_id
    assert runs.find_open_run(url, "left open", tags | {"pedigree.head": "another"}) is None
    runs.finish(url, run_id, "a run", tags, {})
    assert runs.find_open_run(url, "left open", tags) is None


def test_mlflow_runs_that_a_store_left_open_are_closed_and_no_others(url: str) -> None:
    """A run that nobody will carry on does not stay RUNNING for ever; those of another store are not touched."""
    own_run, other_run = (runs.start_run(url, "abandoned", {"store.url": store}, {}) for store in ("ours", "other's"))
    assert runs.close_abandoned(url, "abandoned", "ours", {"pedigree.outcome": "abandoned"}) == [own_run]
    client = MlflowClient(url)
    closed = client.get_run(own_run)
    assert (closed.info.status, closed.data.tags["pedigree.outcome"]) == ("KILLED", "abandoned")
    assert client.get_run(other_run).info.status == "RUNNING"
    assert runs.close_abandoned(url, "abandoned", "ours", {}) == []


def test_an_experiment_has_the_view_of_runs(url: str, run_id: str) -> None:
    """MLflow's table offers the columns that tell runs apart, under a name."""
    experiment = MlflowClient(url).get_experiment(MlflowClient(url).get_run(run_id).info.experiment_id)
    view = json.loads(experiment.tags["mlflow.sharedViewState.pedigree-nights"])
    assert view["name"] == "Nights"
    assert "metrics.`test/accuracy`" in json.loads(view["state"])["selectedColumns"]


def test_a_run_of_many_classes_is_told_in_few_requests(mlflow_server: MlflowServer) -> None:
    """Hundreds of figures travel together: the number of requests does not follow the number of classes."""
    with counted() as few:
        write_run(mlflow_server.url, "few classes", CLASSES[:2], 40)
    with counted() as many:
        figures = write_run(mlflow_server.url, "many classes")
    assert figures > len(CLASSES)
    assert len(many) <= len(few) + figures // 500
    assert len(many) <= 20
