"""Manifests of a Dask cluster: whole, closed, and with nothing that they do not need."""

from typing import Any

import pytest
import yaml

from tests.servers import ROOT

KUBERNETES = ROOT / "infra" / "kubernetes"


def _pods() -> dict[str, dict[str, Any]]:
    """Return the specification of each pod, by its file and its part."""
    plain = {kind["metadata"]["name"]: kind for kind in _documents("dask.yaml") if kind["kind"] == "Deployment"}
    (cluster,) = _documents("dask-operator.yaml")
    pods = {f"plain {name[5:]}": kind["spec"]["template"]["spec"] for name, kind in plain.items()}
    return pods | {f"operator {part}": cluster["spec"][part]["spec"] for part in ("scheduler", "worker")}


def _documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((KUBERNETES / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", ["plain scheduler", "plain worker", "operator scheduler", "operator worker"])
def test_pods_have_limits_and_no_rights(name: str) -> None:
    """Each pod has a memory limit, a read-only image named by its digest, its TLS secret, and no cluster token."""
    pod = _pods()[name]
    (container,) = pod["containers"]
    assert container["resources"]["limits"]["memory"]
    assert "@sha256:" in container["image"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"name": "tls", "secret": {"secretName": "dask-tls"}} in pod["volumes"]
    assert {volume["name"] for volume in pod["volumes"]} == {mount["name"] for mount in container["volumeMounts"]}


@pytest.mark.parametrize("kind", ["plain", "operator"])
def test_schedulers_stay_and_workers_may_go(kind: str) -> None:
    """The scheduler needs a node that stays and no secret of the store; workers tolerate nodes that go."""
    scheduler, worker = (_pods()[f"{kind} {part}"] for part in ("scheduler", "worker"))
    assert scheduler["nodeSelector"] == {"pedigree/stays": "true"}
    assert any(toleration["key"] == "pedigree/may-go" for toleration in worker["tolerations"])
    secrets = [
        [source["secretRef"]["name"] for source in pod["containers"][0]["envFrom"] if "secretRef" in source]
        for pod in (scheduler, worker)
    ]
    assert secrets == [[], ["pedigree-store"]]


def test_dask_knows_every_setting_of_the_manifests() -> None:
    """Encryption is required, and each variable names a setting that Dask has; a misspelt one would leave it open."""
    import dask
    import distributed  # noqa: F401 - loads its defaults

    (settings,) = (kind["data"] for kind in _documents("dask.yaml") if kind["kind"] == "ConfigMap")
    assert settings["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "true"
    for name in settings:
        key = name.removeprefix("DASK_").lower().replace("__", ".").replace("_", "-")
        dask.config.get(key)


def test_parts_of_the_plain_manifests_find_each_other() -> None:
    """The service selects the scheduler, and workers ask for the service's name and port."""
    kinds = {(kind["kind"], kind["metadata"]["name"]): kind for kind in _documents("dask.yaml")}
    service = kinds["Service", "dask-scheduler"]
    scheduler = kinds["Deployment", "dask-scheduler"]["spec"]["template"]
    assert service["spec"]["selector"].items() <= scheduler["metadata"]["labels"].items()
    port = str(service["spec"]["ports"][0]["port"])
    assert port in scheduler["spec"]["containers"][0]["command"]
    worker = kinds["Deployment", "dask-worker"]["spec"]["template"]["spec"]["containers"][0]
    assert f"tls://dask-scheduler:{port}" in worker["command"]
    accounts = {
        kind["spec"]["template"]["spec"]["serviceAccountName"]
        for (name, _), kind in kinds.items()
        if name == "Deployment"
    }
    assert accounts == {name for kind, name in kinds if kind == "ServiceAccount"}
