"""Registration: a model is packaged with all that it needs, and registered once."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from configs import schema
from configs.sections import Images
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.images.preprocessing import limits_from_settings
from tasks.domain.registry.decisions import Decision, RegisteredVersion
from tasks.domain.registry.model_record import hash_settings
from tasks.domain.runs.mlflow_texts import DESCRIPTION, STAND_IN
from tasks.domain.runs.results import TrainedModel
from tasks.features.stored_models import backbone_files, head_bytes
from tasks.reports.prefect_ui.artifacts import build_flow_run_tags
from tasks.step import step
from tasks.stores.store import Store
from tasks.stores.tracking import packages, registry, runs
from tasks.stores.tracking.client import lifecycle
from tasks.stores.tracking.owner import check_owner


@step(hours=2, logged=False)
def register(dataset: Dataset, trained: TrainedModel, settings: schema.Settings) -> str:
    """Package and register the challenger, unless it is registered already.

    Args:
        dataset: The dataset version that it was trained on.
        trained: The challenger.
        settings: All of them, since the version carries the hash of those that decide a model.

    Returns:
        Its version in the registry.

    Raises:
        SettingsError: Another store has taken the model's name meanwhile.
    """
    store = Store(settings.store.url)
    url, model = settings.tracking.url, settings.tracking.model
    identity = _identity_tags(trained.head, dataset.hash, trained.features.fingerprint, hash_settings(settings))
    if existing := registry.find_version(url, model, identity):
        return existing
    with store.leases.hold(f"register-{trained.head[:16]}-{dataset.hash[:16]}"):
        if existing := registry.find_version(url, model, identity):
            return existing
        check_owner(store, url, model, registry.read_aliases_and_tags(url, model)[1])
        links = {f"pedigree.{name}": value for name, value in build_flow_run_tags().items()}
        version = _register(store, settings.tracking, settings.images, identity | links, trained.run_id)
        return _lowest_version(url, model, identity, version)


def register_again(store: Store, tracking: schema.Tracking, last: Decision) -> RegisteredVersion:
    """Register from the store a model that MLflow has lost.

    Args:
        store: Holds the model.
        tracking: The address of MLflow, and the names of experiment and model.
        last: The last decision about the model.

    Returns:
        Its new version.

    Raises:
        PedigreeError: The store lacks the model, or MLflow does not accept it.
    """
    record = store.records.read(last.head, last.dataset)
    images = Images.model_validate(record.settings.get("images", {}))
    identity = _identity_tags(last.head, last.dataset, last.backbone, last.recipe)
    decided = {"pedigree.outcome": last.outcome, "pedigree.decision": str(last.number)}
    with store.leases.hold(f"register-{last.head[:16]}-{last.dataset[:16]}"):
        if existing := registry.version_of(tracking.url, tracking.model, last):
            return existing
        run_id, tags = last.run_id, identity | decided
        if lifecycle(tracking.url, run_id) != "active":
            run_id = _start_replacement_run(tracking, identity | decided)
        return RegisteredVersion(_register(store, tracking, images, tags, run_id), run_id, tags)


def _identity_tags(head: str, dataset: str, backbone: str, made_by: str) -> dict[str, str]:
    return {
        "pedigree.head": head,
        "pedigree.dataset": dataset,
        "pedigree.backbone": backbone,
        "pedigree.recipe": made_by,
    }


def _register(store: Store, tracking: schema.Tracking, images: Images, tags: Mapping[str, str], run_id: str) -> str:
    from tasks.modeling.packaged_model import Package
    from tasks.serving.model_package import write_mlflow_model

    backbone, facts = backbone_files(store, tags["pedigree.backbone"])
    head = head_bytes(store, tags["pedigree.head"])
    owned = {**tags, registry.STORE: store.identity()}
    with TemporaryDirectory() as folder:
        Package(backbone, facts, head, limits_from_settings(images)).write(Path(folder))

        def keep(served: Path) -> None:
            store.packages.write(tags["pedigree.head"], tags["pedigree.dataset"], packages.files_in(served))

        write = partial(write_mlflow_model, Path(folder))
        return registry.register(tracking.url, tracking.model, run_id, owned, write, keep)


def _lowest_version(url: str, model: str, identity: Mapping[str, str], version: str) -> str:
    """Return the lower number where another run has just registered an equal version, and remove ours."""
    first = registry.find_version(url, model, identity) or version
    if first != version:
        registry.remove_version(url, model, version)
    return first


def _start_replacement_run(tracking: schema.Tracking, tags: Mapping[str, str]) -> str:
    """Create a run for a model whose own run MLflow has lost, since every version belongs to a run."""
    run_id = runs.start_run(tracking.url, tracking.experiment, {}, tags)
    name = f"{datetime.now(UTC):%Y-%m-%d} registered again from the store"
    runs.finish(tracking.url, run_id, name, {DESCRIPTION: STAND_IN}, {})
    return run_id
