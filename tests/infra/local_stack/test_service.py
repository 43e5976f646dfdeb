"""The service of the local stack as a process: it waits for a champion, answers, keeps its port, and stops for good."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from configs.errors import SettingsError
from configs.load import parse_settings
from configs.schema import Tracking
from configs.servers import Inbox, Operations, Serve
from infra import stack
from infra.local_stack import health, processes, service
from infra.local_stack.processes import Background
from infra.local_stack.service import Served
from tasks.modeling.backbone.backbone import random_backbone, with_engine
from tests.servers import free_port, wait_until
from tests.tasks.service.champions import ChampionStore, ask, dogs


@pytest.fixture
def store(tmp_path: Path) -> ChampionStore:
    """Make a store with a dataset version and no champion."""
    return ChampionStore(
        str(tmp_path / "store"), with_engine(random_backbone("mixed0", 75), "onnxruntime"), dogs(18)
    ).fill()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Make a home folder, whose service is stopped in the end."""
    folder = tmp_path / "home"
    (folder / "stack").mkdir(parents=True)
    yield folder
    service.stop_service(_record(folder), folder)


def test_it_waits_for_a_champion_answers_and_keeps_its_port(store: ChampionStore, home: Path) -> None:
    """Before the first promotion it says that it waits; afterwards it answers; stopped, nothing is left of it."""
    served = Served(
        store=store.url,
        tracking=Tracking(model="dogs"),
        serve=Serve(port=free_port(), drain_seconds=0, follow_seconds=0.1),
    )
    started = _started(home, served)
    wait_until(lambda: "has no champion yet" in health.why_not_ready(started.address), 30, "the service's reason")
    store.promote(store.head(1))
    wait_until(lambda: not health.why_not_ready(started.address), 60, "a champion")
    with httpx.Client(base_url=started.address, timeout=60) as client:
        assert ask(client, store.files[0]).json()["model"]["name"] == "dogs"
    family = psutil.Process(started.pid).children(recursive=True)
    assert family
    service.stop_service(_record(home), home)
    assert not [process for process in family if process.is_running()]
    assert not started.alive
    again = _started(home, served)
    assert again.address == started.address


def test_other_settings_start_it_anew_where_they_say(tmp_path: Path, home: Path) -> None:
    """The same settings leave a service alone that runs; another port is listened on instead of the kept one."""
    before = Served(
        store=str(tmp_path / "none"), tracking=Tracking(model="dogs"), serve=Serve(port=free_port(), drain_seconds=0)
    )
    started = _started(home, before)
    assert _started(home, before) == started
    after = before.model_copy(update={"serve": Serve(port=free_port(), drain_seconds=0)})
    moved = _started(home, after)
    assert not started.alive
    assert moved.address == f"http://127.0.0.1:{after.serve.port}"


def test_what_is_served_is_that_of_the_settings_or_of_the_last_start(home: Path) -> None:
    """Settings say whose champion answers; without any it is that of the last start, and nobody's before the first."""
    assert service.choose_served(home, None, None) is None
    settings = parse_settings(
        {"source": {"url": "a"}, "store": {"url": "s3://b"}, "tracking": {"model": "dogs"}}, "here"
    )
    operations = Operations(serve=Serve(queue=7), inbox=Inbox(url="s3://c"))
    served = service.choose_served(home, settings, operations)
    expected = Served(store="s3://b", tracking=Tracking(model="dogs"), serve=Serve(queue=7))
    assert served == expected.model_copy(update={"inbox": operations.inbox, "source": "a"})
    (home / "stack" / "served.json").write_text(json.dumps(served.model_dump()))
    assert service.choose_served(home, None, None) == served


def test_a_service_that_others_reach_needs_a_key_before_anything_is_started(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address of others without a key is an error of settings; with a key it is taken."""
    settings = parse_settings({"source": {"url": "a"}, "store": {"url": "b"}}, "here")
    open_to_all = Operations(serve=Serve(host="0.0.0.0"))  # noqa: S104 - what is refused
    with pytest.raises(SettingsError, match="PEDIGREE_SERVE_KEY"):
        service.choose_served(home, settings, open_to_all)
    monkeypatch.setenv("PEDIGREE_SERVE_KEY", "k" * 32)
    assert service.choose_served(home, settings, open_to_all)


def _record(home: Path) -> Path:
    return stack._record(home, "service")


def _started(home: Path, served: Served) -> Background:
    """Start the service as ``pedigree up`` does, wait until it listens, and read its record."""
    stack._ensure_service(home, served)
    background = processes.read_background(_record(home))
    assert background
    wait_until(lambda: stack._part(home, "service").state == "running", 60, "the service")
    return background
