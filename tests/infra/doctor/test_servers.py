"""What the doctor says of Prefect and MLflow."""

from pathlib import Path

import pytest

from configs.errors import PedigreeError
from configs.load import parse_settings
from infra.doctor.servers import check_mlflow, check_prefect
from tests.servers import PrefectServer, free_port


def test_without_servers_runs_are_possible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Prefect is a warning, since no night is started; no MLflow server is fine, since its database is here."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    (prefect,), (mlflow,) = check_prefect(tmp_path), check_mlflow(tmp_path, None)
    assert (prefect.state, mlflow.state) == ("warn", "ok")


def test_a_database_that_is_not_there_yet_is_left_to_the_first_run(tmp_path: Path) -> None:
    """Looking makes no database, which would take MLflow's import; one that nobody can make is a failure."""
    url = f"sqlite:///{tmp_path}/new/mlflow.db"
    values = {"source": {"url": "photos"}, "store": {"url": "store"}, "tracking": {"url": url}}
    (mlflow,) = check_mlflow(tmp_path, parse_settings(values, "a test"))
    assert (mlflow.state, "the first run" in mlflow.message, list(tmp_path.iterdir())) == ("ok", True, [])
    (tmp_path / "file").touch()
    values["tracking"] = {"url": f"sqlite:///{tmp_path}/file/mlflow.db"}
    with pytest.raises(PedigreeError, match="cannot be written"):
        list(check_mlflow(tmp_path, parse_settings(values, "a test")))


def test_servers_that_are_named_and_down_stop_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is named with what to do."""
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("PREFECT_API_URL", f"{address}/api")
    values = {"source": {"url": "photos"}, "store": {"url": "store"}, "tracking": {"url": address}}
    (prefect,), (mlflow,) = check_prefect(tmp_path), check_mlflow(tmp_path, parse_settings(values, "a test"))
    assert (prefect.state, mlflow.state) == ("fail", "fail")
    assert address in prefect.message
    assert "tracking.url" in mlflow.remedy


def test_a_server_without_a_worker_is_a_warning(
    prefect_server: PrefectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefect answers, and what is deployed waits for a worker."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_server.api_url)
    (prefect,) = check_prefect(tmp_path)
    assert (prefect.state, "no worker" in prefect.message) == ("warn", True)
