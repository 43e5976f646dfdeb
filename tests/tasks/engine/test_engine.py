"""What any engine does with items, shown by the one of this process."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from configs.errors import PedigreeError, SettingsError
from configs.sections import Scale
from tasks.engine.engine import LocalEngine, Report, even_share, open_engine
from tests.servers import ROOT
from tests.simple_tasks import Square, Unwilling, ignore


def test_local_answers_come_in_order_and_few_items_are_read_ahead(tmp_path: Path) -> None:
    """Whoever reads three answers of an endless row has had at most five items read."""
    read = iter(range(1_000_000))
    with closing(LocalEngine(8).map(Square(str(tmp_path)), read, ignore)) as answers:
        assert [next(answers) for _ in range(3)] == [(0, 0), (1, 1), (2, 4)]
        assert next(read) <= 5


def test_local_reports_come_before_their_answer(tmp_path: Path) -> None:
    """Each item's last report says that all of it is done, and on what it spent its time."""
    reports: list[Report] = []
    for item, _ in LocalEngine(8).map(Square(str(tmp_path)), [7, 8], reports.append):
        assert reports[item - 7] == Report(item - 7, 1, {"network": 0.5})


def test_a_task_that_may_not_be_done_is_not_begun() -> None:
    """What prepare raises ends the work before its first item."""
    with pytest.raises(PedigreeError, match="s3://nowhere is not there"):
        list(LocalEngine(8).map(Unwilling(), [1], ignore))


@pytest.mark.parametrize(("images", "share"), [(1, 1), (8, 2), (9, 3), (10_000, 256)])
def test_items_are_small_enough_for_everybody_to_have_one(images: int, share: int) -> None:
    """Few images are shared by all places, and many come in whole batches."""
    assert even_share(images, 256, places=4) == share


def test_the_default_engine_imports_no_dask() -> None:
    """Neither Dask nor what it brings is imported by the steps that could use it, or by the engine of one process."""
    program = """
import subprocess
import sys
import tasks.catalog.verify, tasks.features.missing_features, tasks.ingestion.ingest
from configs.sections import Scale
from tasks.engine.engine import open_engine
open_engine(Scale(), print)
print(sorted({"dask", "distributed", "msgpack", "zict", "tblib"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"


def test_without_the_extra_dask_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Dask is not installed, the error names the extra and the other engine."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SettingsError, match=r"pip install 'pedigree\[dask\]', or set scale.engine to local"):
        open_engine(Scale(engine="dask"), print)
