"""A challenger's place in the registry: packaged with all that it needs, and registered once."""

from pathlib import Path
from tempfile import TemporaryDirectory

from configs import schema
from configs.load import code_version
from tasks.domain.night import Dataset, Trained
from tasks.domain.pixels import limits_of
from tasks.domain.recipe import recipe
from tasks.reports.links import flow_run_tags
from tasks.stored_weights import backbone_files, head_bytes
from tasks.stores import registry


def registered(dataset: Dataset, trained: Trained, settings: schema.Settings) -> str:
    """Package and register the challenger, and return its version; who asks again gets the one that was registered."""
    from tasks.modeling.prediction import Package

    url, model = settings.tracking.url, settings.tracking.model
    identity = {
        "pedigree.head": trained.head,
        "pedigree.dataset": dataset.hash,
        "pedigree.backbone": trained.made.fingerprint,
        "pedigree.recipe": recipe(settings),
    }
    found = registry.find_version(url, model, identity)
    if found:
        return found
    backbone, facts = backbone_files(settings.store.url, trained.made.fingerprint)
    head = head_bytes(settings.store.url, trained.head)
    origin = {"parent": dataset.parent or "none", **code_version(), **flow_run_tags()}
    links = {f"pedigree.{name}": value for name, value in origin.items()}
    with TemporaryDirectory() as folder:
        Package(backbone, facts, head, limits_of(settings.images)).write(Path(folder))
        return registry.register(url, model, trained.run_id, Path(folder), identity | links)
