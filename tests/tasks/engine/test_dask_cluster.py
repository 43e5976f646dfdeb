"""The way to a cluster: what cannot be reached, is not trusted or shrinks to nothing is one sentence."""

import subprocess
from pathlib import Path

import pytest

from configs.errors import PedigreeError, ServiceUnavailableError, SettingsError
from configs.sections import Scale
from tasks.engine.dask_cluster import is_this_machine
from tasks.engine.dask_engine import connected_engine
from tests.dask_servers import dask_cluster
from tests.servers import free_port
from tests.simple_tasks import Hungry, Square, ignore


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two authorities, and a certificate and key that each has signed."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ours", "theirs"):
        _openssl(
            folder,
            f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {name}-ca.key -out {name}-ca.pem",
        )
        _openssl(folder, f"req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout {name}.key -out {name}.csr")
        _openssl(
            folder,
            f"x509 -req -days 2 -in {name}.csr -CA {name}-ca.pem -CAkey {name}-ca.key -CAcreateserial -out {name}.pem",
        )
    return folder


def test_work_goes_over_tls_and_no_further_without_trust(certificates: Path, tmp_path: Path) -> None:
    """With the authority that signed the scheduler's certificate work is done; with another one it is not begun."""
    files = {
        kind: str(certificates / f"ours{end}") for kind, end in (("ca", "-ca.pem"), ("cert", ".pem"), ("key", ".key"))
    }
    options = [f"--tls-{'ca-file' if kind == 'ca' else kind}={path}" for kind, path in files.items()]
    with dask_cluster(
        tmp_path / "dask", "anna", options=options, DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION="True"
    ) as cluster:
        assert cluster.address.startswith("tls://")
        lines: list[str] = []
        engine = connected_engine(_scale(cluster.address, certificates, "ours", "ours"), lines.append)
        assert list(engine.map(Square(str(tmp_path)), [3], ignore)) == [(3, 9)]
        assert not any("without TLS" in line for line in lines)
        with pytest.raises(PedigreeError, match=r"tls://\S+ and this machine do not trust each other's certificates"):
            connected_engine(_scale(cluster.address, certificates, "theirs", "ours"), print)
        unknown = _scale(cluster.address, certificates, "ours", "theirs").model_copy(update={"wait": 1})
        # In TLS 1.3 the scheduler's refusal reaches the run as an alert, or only as a closed connection.
        refusal = "or refuses the certificate of this machine|do not trust each other's certificates"
        with pytest.raises(PedigreeError, match=refusal):
            connected_engine(unknown, print)
        missing = _scale(cluster.address, certificates, "nobody", "ours")
        with pytest.raises(SettingsError, match=r"scale.tls_ca names \S+/nobody-ca.pem, which cannot be read"):
            connected_engine(missing, print)


def test_no_scheduler_at_the_address_is_a_sentence() -> None:
    """The address stands in it, and what to do."""
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ServiceUnavailableError, match=rf"tcp://{address} does not answer: start it"):
        connected_engine(Scale(engine="dask", address=address, wait=1), print)


def test_a_cluster_that_loses_all_workers_or_its_scheduler_is_a_sentence(tmp_path: Path) -> None:
    """Without a worker work waits as long as the settings say; without a scheduler it ends at once."""
    with dask_cluster(tmp_path / "dask") as cluster:
        scale = Scale(engine="dask", address=cluster.address, wait=1)
        with pytest.raises(ServiceUnavailableError, match="has had no worker for 1 seconds: start workers"):
            connected_engine(scale, print)
        patient = Scale(engine="dask", address=cluster.address, wait=60)
        cluster.start_worker("anna")
        engine = connected_engine(patient, print)
        engine.scale = scale
        answers = engine.map(Square(str(tmp_path)), range(1000), ignore)
        next(answers)
        cluster.processes["anna"].kill()
        with pytest.raises(ServiceUnavailableError, match="has had no worker for 1 seconds"):
            list(answers)
        engine.scale = patient
        cluster.start_worker("berta")
        answers = engine.map(Square(str(tmp_path)), range(1000, 2000), ignore)
        next(answers)
        cluster.processes["scheduler"].kill()
        with pytest.raises(ServiceUnavailableError, match=r"The Dask scheduler tcp://\S+ is gone"):
            list(answers)


def test_a_memory_limit_ends_the_work_in_a_sentence(tmp_path: Path) -> None:
    """A nanny ends the worker that has more than its limit, and the second time the run says what to do."""
    failures = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    with dask_cluster(tmp_path / "dask", **failures) as cluster:
        cluster.start_worker("anna", memory="500MiB")
        engine = connected_engine(Scale(engine="dask", address=cluster.address, wait=60), print)
        with pytest.raises(PedigreeError, match="2 Dask workers died over the same images: give each worker more mem"):
            list(engine.map(Hungry(), [1], ignore))


def test_workers_of_this_machine_end_with_their_run(tmp_path: Path) -> None:
    """Without an address workers are started, do the work behind TLS, and are told of."""
    lines: list[str] = []
    engine = connected_engine(Scale(engine="dask", workers=1), lines.append)
    assert list(engine.map(Square(str(tmp_path)), [4], ignore)) == [(4, 16)]
    assert str(engine.client.scheduler_info()["address"]).startswith("tls://127.0.0.1:")
    assert lines == [f"Dask's workers can be watched at {engine.dashboard}"]
    engine.close()
    assert engine.client.status == "closed"


@pytest.mark.parametrize(
    ("address", "here"),
    [("tcp://127.0.0.1:8786", True), ("tls://localhost:1", True), ("tcp://dask.example.org:1", False)],
)
def test_only_this_machine_needs_no_warning(address: str, here: bool) -> None:
    """A loopback address is reached by nobody else."""
    assert is_this_machine(address) is here


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"tls_ca": "ca.pem"}, "set scale.tls_certificate too"),
        ({"address": "tls://a.example.org:1"}, "set scale.tls_ca, scale.tls_certificate and scale.tls_key"),
        (
            {"address": "tcp://a:1", "tls_ca": "a", "tls_certificate": "b", "tls_key": "c"},
            "write scale.address as tls://",
        ),
        ({"address": "http://a:1"}, "String should match pattern"),
    ],
)
def test_tls_is_named_wholly_or_not(values: dict[str, str], sentence: str) -> None:
    """Half of it, or an address that says otherwise, is an error of the settings."""
    with pytest.raises(ValueError, match=sentence):
        Scale(engine="dask", **values)


def _scale(address: str, folder: Path, authority: str, certificate: str) -> Scale:
    return Scale(
        engine="dask",
        address=address,
        tls_ca=str(folder / f"{authority}-ca.pem"),
        tls_certificate=str(folder / f"{certificate}.pem"),
        tls_key=str(folder / f"{certificate}.key"),
        wait=60,
    )


def _openssl(folder: Path, arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607
