"""Rejected photographs are examined again when what they were rejected for has changed."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tasks.stores.objects.object_store import open_bucket
from tests.flows.cli.test_app import pedigree, refused
from tests.servers import PrefectServer

Command = Callable[..., Any]


def picture(side: int, form: str) -> bytes:
    """Write a picture of noise, which hardly compresses."""
    sink = io.BytesIO()
    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(sink, form)
    return sink.getvalue()


@pytest.fixture
def command(tmp_path: Path, url: str, prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command of ``pedigree data`` on a source, a folder or a bucket, and return its JSON."""
    assert prefect_server.api_url
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path / "home"))
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"source: {{url: '{url}'}}\nstore: {{url: '{tmp_path}/store'}}\n")

    def run(*arguments: str) -> Any:  # noqa: ANN401 - whatever JSON can hold
        done = pedigree("data", *arguments, "-c", str(settings), "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_a_raised_limit_brings_photographs_in(command: Command, url: str) -> None:
    """What was too large under one setting is an image under the next, and a run without a change fetches nothing."""
    open_bucket(url).create("pug/large.png", picture(700, "PNG"))
    open_bucket(url).create("pug/none.jpg", b"")
    assert command("rebuild", "--set", "images.max_megabytes=1")["ingested"]["rejected"] == 2
    assert command("rebuild", "--set", "images.max_megabytes=1")["ingested"]["fetched"] == 0
    later = command("rebuild", "--set", "images.max_megabytes=50")["ingested"]
    assert (later["fetched"], later["new"]) == (1, 1)
    assert [exclusion["key"] for exclusion in command("rejects")["absent"] if exclusion["reason"] == "empty"] == [
        "pug/none.jpg"
    ]
    assert not [exclusion for exclusion in command("rejects")["absent"] if exclusion["reason"] == "too-many-bytes"]


@pytest.mark.parametrize("url", ["folder"], indirect=True)
def test_an_extra_that_is_installed_later_brings_photographs_in(
    command: Command, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HEIC that arrived before the extra was installed is examined again once it is."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    open_bucket(url).create("pug/phone.heic", picture(64, "HEIF"))
    stub = tmp_path / "stub"
    stub.mkdir()
    (stub / "pillow_heif.py").write_text("raise ImportError('not installed')\n")
    with monkeypatch.context() as without:
        without.setenv("PYTHONPATH", str(stub))
        command("rebuild")
    assert [exclusion["reason"] for exclusion in command("rejects")["absent"] if "install" in exclusion["detail"]] == [
        "unknown-format"
    ]
    assert command("rebuild")["ingested"]["new"] == 1


@pytest.mark.parametrize("url", ["folder"], indirect=True)
def test_a_person_has_rejects_examined_again(command: Command, url: str, tmp_path: Path) -> None:
    """``data retry`` counts what it releases by reason; the next run examines just that, and the former is named."""
    for key, data in {"pug/none.jpg": b"", "pug/text.jpg": b"no picture", "pug/more.jpg": b"nor this"}.items():
        open_bucket(url).create(key, data)
    command("rebuild")
    assert command("retry", "not-an-image")["released"] == {"not-an-image": 2}
    assert command("rebuild")["ingested"]["fetched"] == 2
    assert command("retry")["released"] == {"empty": 1, "not-an-image": 2}
    assert len(command("rejects")["absent"]) == 3
    store = str(tmp_path / "store")
    refused(pedigree("data", "retry", "not-a-image", "--store", store), 2, "'not-a-image'", "nearest is not-an-image")
    refused(pedigree("data", "retry", "removed-for-good", "--store", store), 2, "stays so")
    shown = pedigree("data", "retry", "empty", "--store", store)
    assert "next pedigree retrain" in shown.stdout
