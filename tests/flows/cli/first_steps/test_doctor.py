"""``pedigree doctor`` as a user runs it."""

import json
from pathlib import Path

import pytest

from flows.cli.first_steps.doctor import render_diagnosis
from flows.cli.terminal import render
from infra.doctor.finding import Diagnosis, Finding
from tests.flows.cli.test_app import pedigree


def test_each_line_is_a_finding_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command tells all of machine and settings, and fails where something stops a run."""
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"source: {{url: {tmp_path}/none}}\nbackbone: {{weights: random}}\n")
    done = pedigree("doctor", "-c", str(settings), "--json")
    plain = json.loads(done.stdout)
    findings = {finding["name"]: finding for finding in plain["findings"]}
    assert (done.returncode, plain["ok"]) == (1, False)
    expected = {"python", "packages", "disk", "home folder", "ports", "clock", "store", "weights", "prefect", "mlflow"}
    assert expected < set(findings)
    assert (findings["source"]["state"], "make it" in findings["source"]["remedy"]) == ("fail", True)
    assert "would stop a run" in done.stderr
    assert "a-secret" not in done.stdout

    settings.write_text("source: {url: photos, ulr: x}\n")
    wrong = json.loads(pedigree("doctor", "-c", str(settings), "--json").stdout)["findings"]
    assert "there is no setting source.ulr" in wrong[0]["message"]
    assert "python" in {finding["name"] for finding in wrong}


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_screen_shows_state_and_remedy(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line begins with ok, warn or fail; a remedy stands below; the end says whether a run can start."""
    monkeypatch.setenv("COLUMNS", columns)
    warned = Diagnosis((Finding("disk", "ok", "much"), Finding("prefect", "warn", "no server", "pedigree up")))
    lines = render(render_diagnosis(warned)).splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["ok", "disk", "much"],
        ["warn", "prefect", "no", "server"],
        ["Do:", "pedigree", "up."],
    ]
    assert lines[-1] == "Everything is ready for a run, with 1 warning."
    failed = Diagnosis((Finding("store", "fail", "x" * 200, "do"),))
    assert "ready for a run" not in render(render_diagnosis(failed))
    assert max(map(len, render(render_diagnosis(failed)).splitlines())) <= int(columns)
