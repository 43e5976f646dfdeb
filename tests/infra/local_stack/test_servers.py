"""The stack as a team runs it: on a real PostgreSQL and a real S3 server, where everybody has to say who they are."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import psutil
import pytest
from PIL import Image

from configs.credentials import prefect_login
from configs.errors import PedigreeError, SettingsError
from configs.load import read_operations, read_settings
from configs.servers import Servers
from infra import stack
from infra.local_stack import servers
from tasks.stores.objects.s3_client import s3_client
from tests.servers import free_port, missing_programs, postgres_program, postgres_server, wait_until

_PREFECT, _MLFLOW, _DATABASE = "the-word-of-prefect", "the-word-of-mlflow", "the-word-of-postgresql"
_SECRETS = {
    "PREFECT_API_AUTH_STRING": f"ann:{_PREFECT}",
    "MLFLOW_TRACKING_USERNAME": "ann",
    "MLFLOW_TRACKING_PASSWORD": _MLFLOW,
    "PGPASSWORD": _DATABASE,
}
_RUN_SECONDS = 240  # seconds that one small run may take on a busy machine


@dataclass(frozen=True, slots=True)
class Guarded:
    """The stack under test: its folder, its settings file, what runs, and the bucket of MLflow's files."""

    home: Path
    file: Path
    status: stack.Status
    bucket: str

    def address(self, name: str) -> str:
        """Name where a part of it answers."""
        return next(part.address for part in self.status.parts if part.name == name)

    def pedigree(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a command at a terminal that knows the passwords, or others."""
        variables = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
        command = [sys.executable, "-c", "from flows.cli.app import app; app()", *words]
        variables |= {"PEDIGREE_HOME": str(self.home), **environment}
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=_RUN_SECONDS)  # noqa: S603


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Guarded]:
    """Start the stack once, on PostgreSQL and S3, with passwords."""
    if missing_programs([postgres_program("initdb")]):
        pytest.skip("a real PostgreSQL needs Debian's postgresql")
    request.getfixturevalue("ceph")
    folder = tmp_path_factory.mktemp("guarded")
    _draw(folder / "photos")
    boto3.client("s3").create_bucket(Bucket="pedigree-mlflow")
    with pytest.MonkeyPatch.context() as patch, postgres_server(_DATABASE) as database:
        for name, value in _SECRETS.items():
            patch.setenv(name, value)
        port = free_port()
        # MLflow's port must be known before: a run's settings name it.
        patch.setattr(servers, "MLFLOW_PORT", port)
        patch.setattr(servers, "PREFECT_PORT", free_port())
        # The worker looks for runs every ten seconds unless it is told otherwise.
        patch.setenv("PREFECT_WORKER_QUERY_SECONDS", "1")
        file = folder / "settings.yaml"
        file.write_text(json.dumps(_settings(folder, database, port)))
        try:
            status = stack.up(folder / "home", read_settings(file), read_operations(file))
            yield Guarded(folder / "home", file, status, "pedigree-mlflow")
        finally:
            stack.down(folder / "home")


@pytest.fixture(scope="module")
def completed_run(guarded: Guarded) -> dict[str, Any]:
    """Send a run through the worker, and tell how Prefect shows it."""
    api = f"{guarded.address('Prefect')}/api"
    deployment = _ask(f"{api}/deployments/name/retrain/nightly")["id"]
    run = _ask(f"{api}/deployments/{deployment}/create_flow_run", b"{}")["id"]

    def ended() -> dict[str, Any] | None:
        run_state: dict[str, Any] = _ask(f"{api}/flow_runs/{run}")
        return run_state if run_state["state"]["type"] in {"COMPLETED", "FAILED", "CRASHED"} else None

    ended_run = wait_until(ended, _RUN_SECONDS, f"the run, see {guarded.home / 'stack' / 'worker.log'}")
    assert ended_run is not None
    return ended_run


def test_a_run_completes_where_everybody_says_who_they_are(guarded: Guarded, completed_run: dict[str, Any]) -> None:
    """The worker's run writes into both databases and the bucket, and its MLflow run leads to the report."""
    assert completed_run["state"]["name"] == "Rejected", completed_run["state"]["message"]
    assert completed_run["labels"]["pedigree.report"].startswith(f"{guarded.address('MLflow')}/#/experiments/")
    objects = boto3.client("s3").list_objects_v2(Bucket=guarded.bucket)["Contents"]
    assert any(item["Key"].endswith("evaluation/report.html") for item in objects)
    assert not (guarded.home / "mlflow.db").exists()
    assert not (guarded.home / "prefect" / "prefect.db").exists()


@pytest.mark.usefixtures("completed_run")
def test_every_kind_of_command_gets_in(guarded: Guarded) -> None:
    """What asks Prefect, MLflow or both works with the right passwords."""
    config = ("-c", str(guarded.file), "--json")
    repeated = guarded.pedigree("retrain", *config)
    assert json.loads(repeated.stdout)["status"] == "unchanged", repeated.stderr
    promoted = guarded.pedigree("model", "promote", "1", "--why", "a test", "--by", "ann", *config)
    assert json.loads(promoted.stdout)["champion"] == "1", promoted.stderr
    shown = json.loads(guarded.pedigree("status", "--json").stdout)
    assert {part["state"] for part in shown.values()} == {"running"}
    notified = guarded.pedigree(
        "notify", *config, "--set", "notify.channels=[webhook]", PEDIGREE_WEBHOOK_URL="http://a/b"
    )
    assert len(json.loads(notified.stdout)["automations"]) == 7, notified.stderr


@pytest.mark.usefixtures("completed_run")
@pytest.mark.parametrize(
    ("command", "variable", "sentence"),
    [
        ("retrain", "PREFECT_API_AUTH_STRING", "refuses the name or password: set PREFECT_API_AUTH_STRING"),
        ("up", "PREFECT_API_AUTH_STRING", "refuses the name or password: set PREFECT_API_AUTH_STRING"),
        ("up", "MLFLOW_TRACKING_PASSWORD", "refuses the name or password: set MLFLOW_TRACKING_USERNAME"),
        ("retrain", "MLFLOW_TRACKING_PASSWORD", "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
        ("notify", "PREFECT_API_AUTH_STRING", "refuses the name or password: set PREFECT_API_AUTH_STRING"),
    ],
)
def test_a_wrong_password_is_one_sentence(guarded: Guarded, command: str, variable: str, sentence: str) -> None:
    """Whoever mistypes a password reads which variable to set, and the password is not repeated."""
    done = guarded.pedigree(command, "-c", str(guarded.file), **{variable: "ann:mistyped-password"})
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "mistyped" not in done.stderr


@pytest.mark.usefixtures("completed_run")
def test_no_password_is_written_down(guarded: Guarded) -> None:
    """Neither a file of the home folder, nor a command line, nor either database holds a password."""
    words = [word.encode() for word in (_PREFECT, _MLFLOW, _DATABASE)]
    files = [path for path in guarded.home.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path for path in files if any(word in path.read_bytes() for word in words)] == []
    lines = [" ".join(process.info["cmdline"] or []).encode() for process in psutil.process_iter(["cmdline"])]
    assert [line for line in lines if any(word in line for word in words)] == []
    servers = read_operations(guarded.file).servers
    for database in (servers.prefect_database, servers.mlflow_database):
        dump = subprocess.run([postgres_program("pg_dump"), database], capture_output=True, check=True).stdout  # noqa: S603
        assert len(dump) > 10_000
        assert not any(word in dump for word in words)


def test_running_servers_are_not_silently_others(guarded: Guarded) -> None:
    """Settings that say otherwise than what runs are refused, and without settings it goes on as it was."""
    with pytest.raises(PedigreeError, match="first stop them by pedigree down"):
        stack.up(guarded.home, None, read_operations(guarded.file, ["servers.artifacts=elsewhere"]))
    assert stack.up(guarded.home, None) == guarded.status


@pytest.mark.parametrize("lacking", ["PREFECT_API_AUTH_STRING", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"])
def test_passwords_must_be_set(monkeypatch: pytest.MonkeyPatch, lacking: str) -> None:
    """Authentication without the words for it is refused before anything starts."""
    for name, value in _SECRETS.items():
        monkeypatch.setenv(name, value)
    servers.check_credentials(Servers(authentication=True))
    monkeypatch.delenv(lacking)
    with pytest.raises(SettingsError, match=f"set .*{lacking}"):
        servers.check_credentials(Servers(authentication=True))


def _ask(url: str, body: bytes | None = None) -> Any:  # noqa: ANN401 - whatever JSON the server answers
    headers = {"Content-Type": "application/json", **prefect_login(Path("nowhere"), url)}
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
        return json.load(answer)


def _draw(photos: Path) -> None:
    noise = np.random.default_rng(0)
    for number in range(36):
        folder = photos / "abc"[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = noise.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((80, 80), Image.Resampling.NEAREST).save(folder / f"{number}.jpg")


def _settings(folder: Path, database: str, port: int) -> dict[str, Any]:
    """Make the settings of a small run, after making both databases."""
    for name in ("prefect", "mlflow"):
        command = [postgres_program("createdb"), "--maintenance-db", database, name]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    server = database.removesuffix("/postgres")
    return {
        "source": {"url": str(folder / "photos")},
        "store": {"url": str(folder / "store")},
        "dataset": {"min_images_per_class": 3},
        "backbone": {"weights": "random", "cut": "mixed0", "size": 75},
        "tracking": {"url": f"http://127.0.0.1:{port}"},
        "servers": {
            "prefect_database": f"{server}/prefect",
            "mlflow_database": f"{server}/mlflow",
            "artifacts": "s3://pedigree-mlflow/files",
            "authentication": True,
        },
    }


def test_the_region_reaches_every_boto3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_REGION, which boto3 itself does not read, decides the region here and for MLflow's server."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    s3_client.cache_clear()
    assert s3_client().meta.region_name == "eu-west-1"
    assert servers.stack_environment(tmp_path)["AWS_DEFAULT_REGION"] == "eu-west-1"
    s3_client.cache_clear()


def test_a_server_comes_back_at_its_address(tmp_path: Path) -> None:
    """Links name its port: it is kept when an earlier one becomes free, and given up only where somebody has it."""
    first, record = free_port(following=3), tmp_path / "stack" / "prefect.json"
    with socket.create_server(("127.0.0.1", first)):
        ports = [_port(record, first)]
    ports.append(_port(record, first))
    with socket.create_server(("127.0.0.1", ports[0])):
        ports.append(_port(record, first))
    record.with_suffix(".port").write_text("no port")
    ports.append(_port(record, first))
    assert [port - first for port in ports] == [1, 1, 0, 0]


def _port(record: Path, first: int) -> int:
    with servers.listen_again(record, first) as listener:
        return int(listener.getsockname()[1])
