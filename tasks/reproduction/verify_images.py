"""Reproducing, step 2: see that every image is still there, byte for byte."""

from configs import schema
from configs.errors import Problem
from tasks.domain.datasets.manifest import dataset_hash
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.registry.reproduction import Proved, Recalled
from tasks.reports.prefect_ui.progress import progress
from tasks.step import step
from tasks.stores.files.manifests import read_manifest
from tasks.stores.files.tombstones import forgotten_sentence
from tasks.stores.tables.images import ImageStore


@step(hours=12)
def prove(recalled: Recalled, store: schema.Store) -> Proved:
    """Hash the manifest and every image again; what is lost is named, since a model of other images is another one."""
    name = recalled.record.dataset
    rows = read_manifest(store.url, name)
    if dataset_hash(rows) != name:
        raise Problem(f"The manifest of {name[:12]} is damaged: put it back from a copy of the store.")
    lost = []
    with progress("prove", len(rows)) as advance:
        for image, data in ImageStore(store.url).salvage([row.image for row in rows]):
            advance(1)
            if isinstance(data, Problem) or sha256_of_bytes(data) != image:
                lost.append(image)
    missing = (
        f"{len(lost):,} of its {len(rows):,} images are missing or damaged, the first is {lost[0]}" if lost else ""
    )
    return Proved(len(rows), forgotten_sentence(store.url, name, lost).rstrip(".") or missing)
