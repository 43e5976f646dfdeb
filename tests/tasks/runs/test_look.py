"""A look before a run: what a former run has foreseen stands as long as nothing that it depends on has changed."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from inspect import unwrap
from pathlib import Path

import pytest

from configs.errors import PedigreeError
from configs.schema import Settings
from tasks.datasets.assemble import assemble
from tasks.datasets.label import label
from tasks.domain.runs.results import RunData
from tasks.ingestion import ingest as ingesting
from tasks.ingestion.ingest import ingest
from tasks.ingestion.snapshot import snapshot
from tasks.ingestion.source_listing import at_hand, look_up_source
from tasks.runs.look import Kind, look, note_quiet_run
from tasks.stores.files import known_results
from tasks.stores.tracking.client import check_tracking
from tests.tasks.stores.files.test_known_steps import NoTwoAlike, World, alter_settings

WORDS = ("version 2 waits for a person",)


class Site(World):
    """A source, a store and an embedded MLflow, and the runs over them."""

    def end(self) -> RunData:
        """Take the steps of a retraining and of a rebuild before training, and note what the next ones come to."""
        settings = self.settings
        listed = unwrap(snapshot.fn)(settings.source, settings.store)
        ingested = unwrap(ingest.fn)(listed, settings)
        labels = unwrap(label.fn)(ingested, settings.labels, settings.store)
        data = RunData(ingested, labels, unwrap(assemble.fn)(labels, settings, force=True))
        self.store.processed_snapshots.write(listed.source, listed.taken, "unchanged")
        note_quiet_run("retrain", listed, data, settings, WORDS)
        note_quiet_run("rebuild", listed, data, settings, card="the card")
        return data

    def foreseen(self, kind: Kind) -> RunData | None:
        """Look, and return what a run would come to."""
        result = look(kind, self.settings)
        return result.quiet.data if result.quiet else None


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an MLflow database without models."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    check_tracking(f"sqlite:///{path}")
    return path


@pytest.fixture
def site(tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return a site on which the gate has decided about the version, and nothing has changed since."""
    monkeypatch.setattr(ingesting, "Decoder", NoTwoAlike)
    created = Site(tmp_path)
    shutil.copyfile(database, tmp_path / "mlflow.db")
    created.sections["tracking"] = {"url": f"sqlite:///{tmp_path}/mlflow.db"}
    created.decide(created.end().dataset)
    created.end()
    return created


def test_a_run_that_finds_nothing_to_do_is_foreseen(site: Site) -> None:
    """Right after a run that the gate decided about, the next one is known, word for word."""
    quiet = look("retrain", site.settings).quiet
    assert quiet
    assert quiet.words == WORDS
    assert str(quiet.data.ingested) == "nothing to fetch"
    assert (quiet.data.dataset.state, quiet.data.dataset.images) == ("unchanged", 40)
    rebuilt = look("rebuild", site.settings).quiet
    assert rebuilt
    assert rebuilt.card == "the card"
    assert rebuilt.data.dataset == site.end().dataset


def test_a_version_that_is_to_be_trained_on_is_never_foreseen(site: Site) -> None:
    """Where the gate has not decided under these settings, a retraining has to run, and a rebuild need not."""
    site.sections["training"] = {"seed": 7}
    assert site.end().dataset.state == "new"
    assert site.foreseen("retrain") is None
    assert site.foreseen("rebuild") is not None


def _touch_mlflow(site: World) -> None:
    path = Path(site.settings.tracking.url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO registered_models (name) VALUES ('another')")
        database.commit()


def _write_again(site: World) -> None:
    path = site.photos / "pug/01.jpg"
    path.write_bytes(b"other bytes")


def _lose_manifest(site: World) -> None:
    dataset = site.run()
    for entry in list(site.store.objects.entries(f"datasets/{dataset.hash}/")):
        site.store.objects.remove(entry.key)


CHANGES: dict[str, Callable[[World], object]] = {
    "added": lambda site: site.add("pug/new.jpg"),
    "removed": lambda site: (site.photos / "pug/01.jpg").unlink(),
    "replaced": _write_again,
    "forgotten": lambda site: site.store.tombstones.write("0" * 64, "now"),
    "setting": alter_settings(dataset={"min_images_per_class": 4}),
    "decision": lambda site: site.store.objects.create("ledger/000009.json", b"{}"),
    "manifest": _lose_manifest,
    "MLflow": _touch_mlflow,
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_a_run_depends_on_is_seen(site: Site, change: str) -> None:
    """One change alone lets a run take place; a rebuild asks MLflow for nothing."""
    CHANGES[change](site)
    assert site.foreseen("retrain") is None
    assert (site.foreseen("rebuild") is None) == (change != "MLflow")


def test_other_code_foresees_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of the code finds out by itself."""
    monkeypatch.setattr(known_results, "code_hash", lambda: "another version")
    assert site.foreseen("retrain") is site.foreseen("rebuild") is None


def test_a_wrong_folder_is_told_by_the_look(site: Site) -> None:
    """Nobody waits for a server to read that an address is wrong."""
    shutil.rmtree(site.photos)
    with pytest.raises(PedigreeError, match="There is no folder"):
        look("retrain", site.settings)


def test_a_listing_is_handed_on_once(site: Site) -> None:
    """The run that follows a look begins with its listing, and what comes later lists anew."""
    source = site.settings.source
    listing = look_up_source(source)
    site.add("pug/late.jpg")
    with at_hand(source, listing):
        assert look_up_source(source) is listing
        assert look_up_source(source).facts.objects == listing.facts.objects + 1
    with at_hand(source, listing):
        pass
    assert look_up_source(source) is not listing


_COMMAND = """
import sys
from configs.load import read_settings
from pathlib import Path
from flows.runner import run_rebuild, run_retrain
settings = read_settings(Path(sys.argv[1]))
print(run_retrain(settings))
print(run_rebuild(settings).dataset)
heavy = {"prefect", "mlflow", "lance", "pandas", "tensorflow", "boto3", "polars"} & sys.modules.keys()
sys.exit(f"imported: {heavy}" if heavy else 0)
"""


def test_nothing_heavy_is_started_for_nothing(site: Site, tmp_path: Path) -> None:
    """Whole commands end with the outcome, the lines and the note of a run, and import no server and no library."""
    path = tmp_path / "settings.yaml"
    path.write_text(_as_yaml(site.settings))
    answered = site.store.processed_snapshots.last(str(site.photos))
    hidden = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    done = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", _COMMAND, str(path)],
        env=hidden | {"PEDIGREE_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"unchanged: nothing new to learn from; {WORDS[0]}\n")
    steps = ["preflight", "snapshot", "ingest", "label", "assemble"]
    assert [line.split()[0] for line in done.stderr.splitlines()] == [*steps, *steps, "write_data_card"]
    assert site.store.processed_snapshots.last(str(site.photos)) > answered


def _as_yaml(settings: Settings) -> str:
    return settings.model_dump_json(exclude_defaults=True)
