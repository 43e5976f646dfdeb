"""What the tests of the service share: one store with images that are embedded, copied for each test."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.modeling.backbone.backbone import random_backbone
from tests.tasks.service.champions import ChampionStore, dogs


@pytest.fixture(scope="session")
def _embedded(tmp_path_factory: pytest.TempPathFactory) -> ChampionStore:
    """Store of eighteen drawn dogs under the smallest network that there is."""
    return ChampionStore(
        str(tmp_path_factory.mktemp("served") / "store"), random_backbone("mixed0", 75), dogs(18)
    ).fill()


@pytest.fixture
def champions(_embedded: ChampionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ChampionStore:
    """Copy of that store without a champion, and a home of its own."""
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path / "home"))
    shutil.copytree(_embedded.url, tmp_path / "store")
    return replace(_embedded, url=str(tmp_path / "store"))
