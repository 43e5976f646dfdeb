"""Makes the store that tests keep: three nights of the product as it stands, packed with all that further nights need.

    PEDIGREE_HOME=/tmp/pedigree-kept/home PYTHONPATH=. python tests/old_stores/make.py /tmp/pedigree-kept NAME

It runs in a folder of its own, and packs it as ``tests/old_stores/NAME.tar.xz``. A store names its source by its
address, and MLflow its artifacts by theirs: the source is named through the current folder of whoever reads it, and
``kept.py`` rewrites MLflow's addresses.
"""

import sys
import tarfile
from collections.abc import Sequence
from os import chdir
from pathlib import Path

from PIL import Image

from flows.runner import run_retrain
from tasks.domain.synthetic.drawn_dogs import draw
from tasks.promotion.aliases import Approver, Workspace
from tasks.promotion.overrides import hold
from tasks.stores.store import Store
from tests.old_stores.kept import HERE, settings_in

# The same address in whatever folder a test unpacks it.
SOURCE = "/proc/self/cwd/photos"
SETTINGS = f"""
source: {{url: {SOURCE}}}
store: {{url: store}}
labels: {{layout: label/coat, sources: [manifest, folder], manifest: labels.csv}}
dataset: {{min_images_per_class: 8}}
backbone: {{weights: demo, cut: mixed2, size: 96}}
gate:
  needs: no-harm
  rules:
    - accuracy at least 0.1
    - images of any class at least 14
"""
_COATS = ("white", "black", "brown", "golden")
_SIDE = 112


def draw_breed(photos: Path, breed: str, seeds: range, coats: Sequence[str] = _COATS) -> None:
    """Draw small photographs of a breed, one for each seed and coat."""
    for coat in coats:
        folder = photos / breed / coat
        folder.mkdir(parents=True, exist_ok=True)
        for seed in seeds:
            picture = draw(breed, coat, seed).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
            picture.save(folder / f"{breed}-{seed:04}.jpg", quality=85)


def play(folder: Path) -> None:
    """Run three nights: the first and the second model are promoted, the third is refused, and a person holds it."""
    photos = folder / "photos"
    photos.mkdir()
    (folder / "settings.yaml").write_text(SETTINGS, encoding="utf-8")
    (photos / "labels.csv").write_text("key,label,owner\nunsorted/1.jpg,corgi,ann\nunsorted/2.jpg,corgi,bob\n")
    (photos / "corgi").mkdir()
    (photos / "corgi" / "broken.jpg").write_bytes(b"no picture")
    (photos / "unsorted").mkdir()
    for seed in (1, 2):
        draw("corgi", "grey", 900 + seed).resize((_SIDE, _SIDE)).save(photos / "unsorted" / f"{seed}.jpg")
    settings = settings_in(folder)
    for breed in ("corgi", "poodle", "dachshund"):
        draw_breed(photos, breed, range(5))
    assert run_retrain(settings).status == "promoted"
    for breed in ("corgi", "poodle"):
        draw_breed(photos, breed, range(5, 8))
    assert run_retrain(settings).status == "promoted"
    draw_breed(photos, "beagle", range(3))
    assert run_retrain(settings).status == "rejected"
    hold(Workspace(Store(settings.store.url), settings.tracking), "3", Approver("ann", "too few beagles"))


def pack(folder: Path, archive: Path) -> None:
    """Pack what the nights left, without what Prefect keeps for itself."""
    with tarfile.open(archive, "w:xz", preset=9) as file:
        for name in ("settings.yaml", "photos", "store", "home/mlflow.db", "home/mlflow-artifacts"):
            file.add(folder / name, name)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    chdir(target)
    play(target)
    pack(target, HERE / f"{sys.argv[2]}.tar.xz")
