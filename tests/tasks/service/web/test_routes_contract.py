"""Requests of which nobody thought: schemathesis makes them of what OpenAPI says, with and without a key."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.servers import wait_until
from tests.tasks.service.champions import ChampionStore, ready, serving

KEY = "k" * 32
OPTIONS = ["--phases=coverage,fuzzing", "--max-examples=5", "--seed=1", "--generation-database=none"]
# Too many photographs are too much content, and a picture of one pixel is one for OpenAPI and none for the model.
CHECKS = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
[checks.positive_data_acceptance]
enabled = false
"""


@pytest.mark.parametrize("headers", [{}, {"Authorization": f"Bearer {KEY}"}], ids=["without a key", "with a key"])
def test_schemathesis_finds_nothing(
    champions: ChampionStore, headers: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is sent, an answer is one that OpenAPI describes, and none is a failure of the service."""
    monkeypatch.setenv("PEDIGREE_SERVE_KEY", KEY if headers else "")
    (tmp_path / "schemathesis.toml").write_text(CHECKS, encoding="utf-8")
    champions.promote(champions.head(1))
    with serving(champions) as (service, client):
        wait_until(lambda: ready(client), 60, "a model", pause=0.05)
        program = str(Path(sys.executable).with_name("schemathesis"))
        command = [program, "run", f"{service.address}/openapi.json", *OPTIONS]
        given = [f"--header={name}: {value}" for name, value in headers.items()]
        ended = subprocess.run(  # noqa: S603 - a program of our own environment
            [*command, *given],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 0, ended.stdout[:6000] + ended.stderr[-1000:]
