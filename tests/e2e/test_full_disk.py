"""A store's disk that fills up in the middle of a run: one sentence, nothing half-visible, nothing lost."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tasks.stores.store import Store
from tests.servers import PrefectServer

PEDIGREE = Path(sys.executable).with_name("pedigree")
Resize = Callable[[int], bool]


def pictures(folder: Path, number: int, side: int) -> int:
    """Put so many pictures of noise into a folder, and return the bytes of all together."""
    random = np.random.default_rng(side)
    folder.mkdir(parents=True)
    for index in range(number):
        picture = Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8))
        picture.save(folder / f"{index:04}.jpg")
    return sum(path.stat().st_size for path in folder.iterdir())


def test_a_disk_that_fills_up_between_two_packs(
    disk: tuple[Path, Resize], prefect_server: PrefectServer, tmp_path: Path
) -> None:
    """The pack that fitted is kept, nothing is seen of the other, and a run with room fetches only what is left."""
    assert prefect_server.api_url
    (folder, resize), source = disk, tmp_path / "photos"
    settings, store = tmp_path / "settings.yaml", str(folder / "store")
    settings.write_text(f"source: {{url: {source}}}\nstore: {{url: {store}}}\n")
    command = [str(PEDIGREE), "data", "rebuild", "-c", str(settings), "--json"]
    first, second = pictures(source / "boxer", 1024, 64), pictures(source / "pug", 40, 512)
    assert resize(first + second // 2)
    failed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line
    assert (failed.returncode, failed.stdout) == (1, "")
    last = failed.stderr.strip().splitlines()[-1]
    assert last.startswith(f"The table images in {store} cannot be written: the disk is full"), last
    assert "make room and run again" in last
    assert "Traceback" not in failed.stderr
    assert len(Store(store).images.stored()) == 1024
    assert [entry.key.split("/")[0] for entry in Store(store).snapshots.pending(str(source))] == ["pug"] * 40

    assert resize(first + 2 * second)
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["ingested"]["fetched"], answer["ingested"]["new"], answer["dataset"]["images"]) == (40, 40, 1064)
