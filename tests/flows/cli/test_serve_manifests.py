"""What runs the service elsewhere: the image definition and a cluster's manifests, as far as no engine is needed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from configs.load import read_operations, read_settings
from flows.cli.app import app
from tasks.service.server import _LAST_ANSWER
from tests.servers import ROOT

CONTAINERFILE = ROOT / "infra" / "service" / "Containerfile"
KINDS = {
    kind["kind"]: kind
    for kind in yaml.safe_load_all((ROOT / "infra" / "kubernetes" / "service.yaml").read_text(encoding="utf-8"))
}
POD = KINDS["Deployment"]["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


def instructions() -> list[tuple[str, str]]:
    """Return each instruction of the image definition with its words; continued lines are one."""
    text = re.sub(r"\\\n", " ", CONTAINERFILE.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, words) for name, _, words in (line.partition(" ") for line in lines)]


def words_of(name: str) -> list[str]:
    """Return the words of each instruction of one name."""
    return [words for instruction, words in instructions() if instruction == name]


def accepts(words: list[str]) -> bool:
    """Tell whether the command line knows these words; nothing is done."""
    assert words[0] == "pedigree"
    group: Any = typer.main.get_command(app)
    return bool(group.commands[words[1]].make_context(words[1], words[2:]))


def test_the_image_has_two_stages_and_runs_without_root() -> None:
    """What builds is left behind; the last user is a number that is not root's, as Kubernetes must see."""
    bases = words_of("FROM")
    assert bases == ["${PYTHON} AS build", "${PYTHON}"]
    assert re.fullmatch(r"PYTHON=docker\.io/library/python:3\.11\.\d+-slim-bookworm", words_of("ARG")[0])
    user = words_of("USER")[-1]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert user == f"{POD['securityContext']['runAsUser']}:{POD['securityContext']['runAsGroup']}"
    assert "ADD" not in [name for name, _ in instructions()]


def test_the_image_is_made_from_the_locks() -> None:
    """Everything that is downloaded is held against a hash: by the locks, or by the constraint that they are."""
    for line in words_of("RUN"):
        if "pip install" in line and "/opt/wheel" not in line:
            assert re.search(r"--require-hashes .*-r infra/", line) or "-c infra/requirements-dev.lock" in line, line
    locks = re.findall(r"infra/[\w-]+\.lock", " ".join(words_of("RUN")))
    copied = " ".join(words_of("COPY"))
    assert all((ROOT / lock).is_file() and lock in copied for lock in locks)


def test_the_image_copies_what_there_is_and_what_the_wheel_needs() -> None:
    """Each path that is copied exists and is let through by the ignore file, which lets nothing else through."""
    copied = {path for words in words_of("COPY") if "--from" not in words for path in words.split()[:-1]}
    assert all((ROOT / path).exists() for path in copied)
    ignored = CONTAINERFILE.with_name("Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert let_through == {Path(path).parts[0] for path in copied}
    assert "*" in ignored


def test_commands_of_image_and_pod_exist() -> None:
    """The command line knows the commands with their options, and both are the same."""
    (command,) = words_of("CMD")
    words = yaml.safe_load(command)
    assert accepts(words)
    assert words == CONTAINER["command"]


def test_the_pods_settings_are_read() -> None:
    """The settings file of the cluster is one, and lies where the command looks for it."""
    (volume,) = [volume for volume in POD["volumes"] if "configMap" in volume]
    assert volume["configMap"]["name"] == KINDS["ConfigMap"]["metadata"]["name"]
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    ((name, _),) = KINDS["ConfigMap"]["data"].items()
    assert f"{mounts[volume['name']]}/{name}" in CONTAINER["command"]


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    """Write the settings of the cluster into a file."""
    file = tmp_path / "settings.yaml"
    file.write_text(KINDS["ConfigMap"]["data"]["settings.yaml"])
    return file


def test_a_pod_ends_without_losing_an_answer(settings_file: Path) -> None:
    """It has the time to drain and to finish, load balancers see before that it is not ready, and none is too few."""
    serve = read_operations(settings_file).serve
    assert read_settings(settings_file).store.url.startswith("s3://")
    assert POD["terminationGracePeriodSeconds"] > serve.drain_seconds + _LAST_ANSWER
    probe = CONTAINER["readinessProbe"]
    assert serve.drain_seconds > (probe["periodSeconds"] + probe["timeoutSeconds"]) * probe["failureThreshold"]
    assert KINDS["Deployment"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    scaler = KINDS["HorizontalPodAutoscaler"]["spec"]
    assert scaler["minReplicas"] > KINDS["PodDisruptionBudget"]["spec"]["maxUnavailable"]
    assert scaler["scaleTargetRef"]["name"] == KINDS["Deployment"]["metadata"]["name"]
    # It would be set back to this number whenever somebody applies the manifests.
    assert "replicas" not in KINDS["Deployment"]["spec"]
    # A service that waits for its store is alive: restarting it would only lose the last good model.
    assert {CONTAINER[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe")} == {"/live"}
    assert probe["httpGet"]["path"] == "/ready"
    (port,) = CONTAINER["ports"]
    assert port["containerPort"] == serve.port
    assert {port["name"]} == {CONTAINER[name]["httpGet"]["port"] for name in ("startupProbe", "readinessProbe")}


def test_a_pod_has_no_more_than_it_needs() -> None:
    """No root, no rights, no token, read-only files but for two places, limits, as many threads as cores, one image."""
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False
    assert KINDS["ServiceAccount"]["automountServiceAccountToken"] is False
    assert re.fullmatch(r"[\w./-]+@sha256:[0-9a-f]{64}", CONTAINER["image"])
    assert set(CONTAINER["resources"]["limits"]) == {"cpu", "memory"}
    variables = {variable["name"]: variable for variable in CONTAINER["env"]}
    assert variables["PEDIGREE_CORES"]["valueFrom"] == {"resourceFieldRef": {"resource": "limits.cpu"}}
    writable = {volume["name"] for volume in POD["volumes"] if "emptyDir" in volume}
    places = {mount["mountPath"] for mount in CONTAINER["volumeMounts"] if mount["name"] in writable}
    assert variables["PEDIGREE_HOME"]["value"].startswith(variables["HOME"]["value"])
    assert places == {variables["HOME"]["value"], "/tmp"}  # noqa: S108 - a mount


def test_the_cluster_reaches_what_it_is_to_reach() -> None:
    """Service, budget and network policy choose the pods by their label, and the policy closes both directions."""
    labels = KINDS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for chosen in (
        KINDS["Service"]["spec"]["selector"],
        KINDS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        KINDS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        KINDS["Deployment"]["spec"]["selector"]["matchLabels"],
    ):
        assert chosen == labels
    assert KINDS["NetworkPolicy"]["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert all("from" in rule and "ports" in rule for rule in KINDS["NetworkPolicy"]["spec"]["ingress"])
    assert all("ports" in rule for rule in KINDS["NetworkPolicy"]["spec"]["egress"])
    monitor = yaml.safe_load((ROOT / "infra" / "monitoring" / "service-monitor.yaml").read_text(encoding="utf-8"))
    assert monitor["spec"]["selector"]["matchLabels"] == KINDS["Service"]["metadata"]["labels"]
    assert monitor["spec"]["endpoints"][0]["port"] == KINDS["Service"]["spec"]["ports"][0]["name"]
    (secret,) = [source["secretRef"]["name"] for source in CONTAINER["envFrom"]]
    assert monitor["spec"]["endpoints"][0]["authorization"]["credentials"]["name"] == secret


@pytest.mark.parametrize("file", ["kubernetes/service.yaml", "compose/compose.yaml", "service/Containerfile"])
def test_variables_of_pedigree_are_read_by_it(file: str) -> None:
    """A variable of Pedigree that is misspelt would be passed over in silence."""
    names = set(re.findall(r"\bPEDIGREE_[A-Z_]+", (ROOT / "infra" / file).read_text(encoding="utf-8")))
    sources = "".join(_sources())
    assert {name for name in names if f'"{name}"' not in sources} == set()


def _sources() -> Iterator[str]:
    yield (ROOT / "hatch_build.py").read_text(encoding="utf-8")
    for folder in ("configs", "tasks", "infra", "flows"):
        yield from (path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.py"))
