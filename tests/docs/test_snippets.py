"""The settings and the Python of the pages are what Pedigree and Python read, and the README explains its words."""

from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from configs.load import read_operations, read_settings
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.stores.store import Store
from tests.docs.blocks import Block, fenced, pages

_BLOCKS = {
    language: [block for page in pages() for block in fenced(page) if block.language == language]
    for language in ("yaml", "python")
}


@pytest.mark.parametrize("block", _BLOCKS["yaml"], ids=str)
def test_settings_of_the_pages_are_settings(block: Block, tmp_path: Path) -> None:
    """Put into a settings file, beside a source where they name none, they are read without a complaint."""
    values = {"source": {"url": "photos"}, **yaml.safe_load(block.text)}
    file = tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    assert read_settings(file)
    assert read_operations(file)


@pytest.mark.parametrize("block", _BLOCKS["python"], ids=str)
def test_python_of_the_pages_rebuilds_a_version(block: Block, tmp_path: Path) -> None:
    """The lines that rebuild a version from its changes give the rows that Pedigree reads."""
    rows = [Row(f"{number:064x}", "pug", Split.TRAIN, (), str(number)) for number in range(10_050)]
    former, version = dataset_hash(rows[:-50]), dataset_hash(rows[20:])
    manifests = Store(str(tmp_path)).manifests
    manifests.write(former, rows[:-50])
    manifests.write(version, rows[20:], former)
    assert (tmp_path / "datasets" / version / "changes.parquet").is_file()
    names = {"store": str(tmp_path), "version": version}
    exec(compile(block.text, str(block), "exec"), names)  # noqa: S102 - our own page
    rebuilt = names["rows"]
    assert isinstance(rebuilt, pa.Table)
    assert rebuilt["image"].to_pylist() == [row.image for row in manifests.read(version)]
