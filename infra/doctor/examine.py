"""The doctor's round: every check that the settings give a reason for."""

import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from configs.schema import Settings
from configs.servers import Operations
from infra.doctor import machine, places, servers
from infra.doctor.finding import Check, Diagnosis, Finding, make_checks
from tasks.stores.objects.folder import folder_path

_S3 = "s3://"


def examine(home: Path, settings: Settings | None, operations: Operations | None, problem: str = "") -> Diagnosis:
    """Look at everything that a run needs, side by side and within seconds.

    Args:
        home: The home folder.
        settings: The settings of a retraining; None looks at the machine and its servers alone.
        operations: The settings of the servers.
        problem: What is wrong with the settings; empty where nothing is.

    Returns:
        The findings.
    """
    wrong = [Finding("settings", "fail", problem.rstrip("."), "correct the settings file")] if problem else []
    serve = (operations or Operations()).serve
    checks: dict[str, Check] = {
        "python": partial(machine.check_python, _extras(settings)),
        "disk": partial(machine.check_disk, _disks(home, settings)),
        "ports": partial(machine.check_ports, home, serve.host, serve.port),
        "clock": partial(machine.check_clock, datetime.now(UTC)),
    }
    if settings:
        checks |= _places(settings)
    checks |= {
        "prefect": partial(servers.check_prefect, home),
        "mlflow": partial(servers.check_mlflow, home, settings),
    }
    return Diagnosis((*wrong, *make_checks(checks).findings))


def _places(settings: Settings) -> dict[str, Check]:
    checks: dict[str, Check] = {"source": partial(places.check_photographs, settings)}
    if _S3 in {settings.source.url[: len(_S3)], settings.store.url[: len(_S3)]}:
        checks["credentials"] = places.check_credentials
    return {
        **checks,
        "store": partial(places.check_store, settings),
        "weights": partial(places.check_weights, settings),
    }


def _disks(home: Path, settings: Settings | None) -> dict[str, Path]:
    disks = {"home": home, "temporary files": Path(tempfile.gettempdir())}
    if settings and not settings.store.url.startswith(_S3):
        disks["store"] = folder_path(settings.store.url)
    return disks


def _extras(settings: Settings | None) -> tuple[str, ...]:
    engines = (settings.backbone.engine, settings.scale.engine) if settings else ()
    return tuple(engine for engine in engines if engine in {"onnxruntime", "dask"})
