"""Where no store is at hand, MLflow's alias says which version serves, and its tags what the files must be."""

from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from configs.errors import PedigreeError
from configs.servers import Serve
from tasks.modeling.head.head import Head
from tasks.modeling.packaged_model import Package
from tasks.service.models.following import Follower
from tasks.service.models.last_good import LastGood
from tasks.service.models.registry_models import RegistryModels
from tasks.serving.model_package import write_mlflow_model
from tasks.stores.tracking import registry, runs
from tasks.stores.tracking.client import check_tracking
from tasks.stores.tracking.embedded_registry import EmbeddedRegistry
from tests.tasks.service.champions import LIMITS, ChampionStore, damage


def register(champions: ChampionStore, head: Head, url: str, folder: Path) -> str:
    """Register a head as Pedigree does, let the alias name it, and return the folder of the files that MLflow holds."""
    backbone = champions.backbone
    folder.mkdir()
    Package(backbone.to_bytes(), backbone.facts, head.to_bytes(), LIMITS).write(folder)
    run = runs.start_run(url, "tests", {}, {})
    tags = {
        "pedigree.head": head.name,
        "pedigree.dataset": champions.dataset,
        "pedigree.backbone": backbone.fingerprint,
        "pedigree.decision": "7",
    }
    version = registry.register(url, "dogs", run, tags, partial(write_mlflow_model, folder))
    registry.set_alias(url, "dogs", "champion", version)
    return version


@pytest.mark.parametrize("kind", ["database", "mlflow_server"])
def test_the_alias_is_followed_and_files_are_held_against_tags(
    champions: ChampionStore, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    """A moved alias serves at the next look; other files than the tags name do not serve."""
    url = f"sqlite:///{tmp_path}/mlflow.db" if kind == "database" else request.getfixturevalue("mlflow_server").url
    check_tracking(url)
    source = RegistryModels(url, "dogs")
    follower = Follower(source, LastGood(tmp_path / "copies"), Serve(), lambda *_: None, lambda _: None)
    first, second = champions.head(1), champions.head(2)
    version = register(champions, first, url, tmp_path / "first")
    follower.look()
    assert follower.model
    assert (follower.model.identity.version, follower.model.identity.decision) == (version, 7)
    registered = registry.version_numbered(url, "dogs", version)
    assert registered
    assert follower.model.identity.run == registered.run_id
    probabilities = follower.model.predict(champions.files[0]).probabilities
    assert probabilities == champions.expected(first)[champions.files[0]]
    newer = register(champions, second, url, tmp_path / "second")
    follower.look()
    assert follower.model.identity.version == newer
    with pytest.raises(PedigreeError, match="holds no training images"):
        source.knowledge(follower.model, 1)
    assert follower.model.head.name == second.name


def test_exchanged_files_do_not_serve(champions: ChampionStore, tmp_path: Path) -> None:
    """Another intact head in place of the registered one is refused, and so is half a file."""
    url = f"sqlite:///{tmp_path}/mlflow.db"
    check_tracking(url)
    source = RegistryModels(url, "dogs")
    with pytest.raises(PedigreeError, match="There is no MLflow database"):
        RegistryModels(f"sqlite:///{tmp_path}/nowhere.db", "dogs").champion()
    assert source.champion() is None
    register(champions, champions.head(1), url, tmp_path / "first")
    identity = source.champion()
    assert identity
    stored = EmbeddedRegistry(url).source("dogs", identity.version)
    file = Path(unquote(urlsplit(stored).path)) / "artifacts" / "head.npz"
    file.write_bytes(champions.head(2).to_bytes())
    with pytest.raises(PedigreeError, match="other files"):
        source.package(identity, "")
    damage(file)
    with pytest.raises(PedigreeError):
        source.package(identity, "")
