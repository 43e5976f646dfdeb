"""The stack in containers: what infra/compose says, as far as no engine is needed."""

import configparser
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
import yaml

from configs.environment import mlflow_pages
from configs.load import read_operations, read_settings
from flows.cli.app import app
from infra.local_stack import health, servers
from infra.orchestration.deployments import POOL
from tasks.service.server import _LAST_ANSWER
from tests.servers import ROOT

FOLDER = ROOT / "infra" / "compose"
STACK: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
_REQUIRED = re.compile(r"^(?:pedigree:)?\$\{(\w+):\?[^}]+\}$")
_SECRET = re.compile("PASSWORD|KEY|SECRET|AUTH_STRING")


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield each command of the stack that is ours, with its service; a script's are its lines."""
    for name, service in OURS.items():
        words = service["command"]
        if words[0] != "sh":
            yield name, words
            continue
        for line in re.split(r"\n|\|\|", words[-1]):
            if line.strip():
                yield name, shlex.split(line.split(">", 1)[0].replace("$$(", "$("))


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_no_more_than_it_needs(name: str) -> None:
    """No capabilities, no new privileges, read-only files, a port of this machine alone, and one exact image."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert name in OURS or re.fullmatch(r"[\w./-]+:(?:[\w.-]*\d[\w.-]*)", service["image"])
    assert name == "s3" or re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert not {"privileged", "network_mode", "pid", "cap_add", "devices"} & service.keys()


def test_no_secret_is_written_down() -> None:
    """Each secret comes from the environment and must be there; the example names each and sets none."""
    needed = set()
    for service in SERVICES.values():
        for variable, value in service["environment"].items():
            if _SECRET.search(variable):
                secret = _REQUIRED.match(value)
                assert secret, variable
                needed.add(secret.group(1))
    example = (FOLDER / "example.env").read_text(encoding="utf-8").splitlines()
    assert {line for line in example if not line.startswith("#")} == {f"{name}=" for name in needed}


def test_every_command_exists_with_its_options() -> None:
    """Pedigree, Prefect and MLflow know each command of the stack with its options; nothing is started."""
    from mlflow import cli as mlflow_cli
    from prefect.cli._app import _app as prefect

    group: Any = typer.main.get_command(app)
    checked = set()
    for name, words in commands():
        program, command, *rest = words
        checked.add((name, program, command))
        if program == "pedigree":
            assert group.commands[command].make_context(command, list(rest))
        elif program == "mlflow":
            assert mlflow_cli.cli.commands[command].make_context(command, list(rest))
        elif program == "prefect":
            prefect.parse_args(words[1:], print_error=False, exit_on_error=False)
        else:
            compile(rest[0], name, "exec")
    assert {program for _, program, _ in checked} == {"pedigree", "prefect", "mlflow", "python"}


def test_the_settings_are_those_of_the_stack() -> None:
    """Source and store are buckets that are made, MLflow is the stack's own, and its port is the service's."""
    settings, operations = read_settings(FOLDER / "settings.yaml"), read_operations(FOLDER / "settings.yaml")
    (made,) = re.findall(r'\{("[^}]*")\}', SERVICES["buckets"]["command"][-1])
    buckets = {f"s3://{name}" for name in re.findall(r"\w+", made)}
    assert {settings.source.url, settings.store.url} < buckets
    words = SERVICES["mlflow"]["command"]
    assert words[words.index("--artifacts-destination") + 1] in buckets
    assert settings.tracking.url.removeprefix("http://") in words[words.index("--allowed-hosts") + 1].split(",")
    assert SERVICES["service"]["ports"] == [f"127.0.0.1:{operations.serve.port}:{operations.serve.port}"]
    grace = int(SERVICES["service"]["stop_grace_period"].removesuffix("s"))
    assert grace > operations.serve.drain_seconds + _LAST_ANSWER
    assert SERVICES["service"]["environment"]["PEDIGREE_CORES"] == SERVICES["service"]["cpus"]


def test_links_to_mlflow_lead_where_browsers_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of the service and of Prefect link to the published port: no browser knows the containers' name for it."""
    tracking = read_settings(FOLDER / "settings.yaml").tracking
    for name in ("service", "worker"):
        with monkeypatch.context() as patch:
            for variable, value in SERVICES[name]["environment"].items():
                if variable.startswith("PEDIGREE_MLFLOW_"):
                    patch.setenv(variable, value)
            published = mlflow_pages(tracking.url).removeprefix("http://")
        assert f"{published}:5000" in SERVICES["mlflow"]["ports"]


def test_what_is_named_is_there() -> None:
    """Configurations, volumes, networks and services that one names exist; the pool's template is the local stack's."""
    for service in SERVICES.values():
        assert {config["source"] for config in service.get("configs", [])} <= STACK["configs"].keys()
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= STACK["volumes"].keys()
        assert set(service["networks"]) <= STACK["networks"].keys()
        for other, need in service.get("depends_on", {}).items():
            assert "healthcheck" in SERVICES[other] or need["condition"] != "service_healthy"
    assert (FOLDER / STACK["configs"]["settings"]["file"]).is_file()
    assert "health.POOL_TEMPLATE" in SERVICES["deploy"]["command"][-1]
    assert health.POOL_TEMPLATE.is_file()
    assert {words[words.index("--pool") + 1] for _, words in commands() if "--pool" in words} == {POOL}


def test_mlflow_asks_for_a_password_as_in_the_local_stack() -> None:
    """The file of its login has the settings of the local one, and lies where MLflow is told."""
    written, local = configparser.ConfigParser(), configparser.ConfigParser()
    written.read_string(STACK["configs"]["mlflow-authentication"]["content"])
    local.read_string(servers._AUTHENTICATION.format(database="a"))
    assert {**written["mlflow"], "database_uri": "a"} == dict(local["mlflow"])
    service = SERVICES["mlflow"]
    assert service["environment"]["MLFLOW_AUTH_CONFIG_PATH"] == service["configs"][0]["target"]
    words = service["command"]
    assert written["mlflow"]["database_uri"] == words[words.index("--backend-store-uri") + 1]
