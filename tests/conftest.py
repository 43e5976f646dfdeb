"""Fixtures for every test: a world of its own, the real photographs, and the real servers."""

import os
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from configs.environment import prepare_environment
from tests.leftovers import end_with_this_process

end_with_this_process()
# Prefect and MLflow read the environment when they are imported, so their world must exist before any test module does.
_WORLD = tempfile.TemporaryDirectory(prefix="pedigree-tests-")
_UNWANTED = ("AWS_", "PREFECT_", "MLFLOW_", "PEDIGREE_HOME", "LANCE_")
for _name in [name for name in os.environ if name.startswith(_UNWANTED)]:
    del os.environ[_name]
os.environ |= {
    "HOME": _WORLD.name,
    "PEDIGREE_HOME": f"{_WORLD.name}/pedigree",
    "PREFECT_HOME": f"{_WORLD.name}/prefect",
    "AWS_CONFIG_FILE": f"{_WORLD.name}/no-aws-config",
    "AWS_SHARED_CREDENTIALS_FILE": f"{_WORLD.name}/no-aws-credentials",
    "AWS_EC2_METADATA_DISABLED": "true",
    "LANCE_LOG": "error",
}
prepare_environment()

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from tests import servers  # noqa: E402

# A law says nothing of time, and a busy machine takes longer.
settings.register_profile("pedigree", deadline=None)
settings.load_profile("pedigree")

_PHOTOS = servers.ROOT.parent / "shared" / "photos"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where PEDIGREE_NO_SKIPS asks that every test runs and one was skipped."""
    if _skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List the tests that should have run."""
    for report in _skipped(config):
        terminalreporter.write_line(f"SKIPPED, though PEDIGREE_NO_SKIPS is set: {report.nodeid}: {report.longrepr[2]}")


def _skipped(config: pytest.Config) -> list[Any]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return reporter.stats.get("skipped", []) if reporter and os.environ.get("PEDIGREE_NO_SKIPS") else []


@pytest.fixture(scope="session")
def photos() -> Path:
    """Folder of real photographs, one folder a breed."""
    if not _PHOTOS.is_dir():
        pytest.skip(f"the real photographs are not in {_PHOTOS}")
    return _PHOTOS


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[int], bool]]]:
    """Disk of its own, and what gives it another size in bytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or not _run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)):
        pytest.skip("a small disk needs root and the right to mount one")
    yield folder, lambda size: _run("mount", "-o", f"remount,size={size}", str(folder))
    _run("umount", "--lazy", str(folder))


def _run(*command: str) -> bool:
    """Run one of the system's programs, and tell whether it did as it was told."""
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603 - this file's own commands


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Ceph]:
    """Real S3 server, which the AWS variables name from now on."""
    if missing := servers.missing_programs(servers.CEPH_PROGRAMS):
        pytest.skip(
            f"a real S3 server needs {', '.join(missing)} (Debian: radosgw ceph-mon ceph-osd ceph-mgr ceph-common curl)"
        )
    with servers.ceph_server(tmp_path_factory.mktemp("ceph")) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
        patch.setenv("AWS_REGION", "us-east-1")
        _forget_s3_client()
        yield server
        _forget_s3_client()


@pytest.fixture
def s3_bucket(ceph: servers.Ceph) -> str:
    """Address of a fresh and empty bucket."""
    import boto3

    name = f"test-{uuid.uuid4().hex[:16]}"
    boto3.client("s3", endpoint_url=ceph.endpoint, region_name="us-east-1").create_bucket(Bucket=name)
    return f"s3://{name}"


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a fresh and empty place: once a folder, once a bucket."""
    if request.param == "s3":
        return str(request.getfixturevalue("s3_bucket"))
    folder = tmp_path / "place"
    folder.mkdir()
    return str(folder)


@pytest.fixture(scope="session")
def _prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.PrefectServer]:
    """One Prefect server for all tests that ask for it."""
    with servers.prefect_server(tmp_path_factory.mktemp("prefect-server")) as server:
        yield server


@pytest.fixture
def prefect_server(_prefect: servers.PrefectServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[servers.PrefectServer]:
    """Real Prefect server, which Prefect's own settings name during the test."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    monkeypatch.setenv("PREFECT_API_URL", _prefect.api_url)
    with temporary_settings(updates={PREFECT_API_URL: _prefect.api_url}):
        yield _prefect


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.MlflowServer]:
    """Real MLflow server."""
    with servers.mlflow_server(tmp_path_factory.mktemp("mlflow-server")) as server:
        yield server


def _forget_s3_client() -> None:
    from tasks.stores.objects.s3_client import s3_client

    s3_client.cache_clear()
