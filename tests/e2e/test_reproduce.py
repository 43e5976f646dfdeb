"""A model comes out again, bit for bit, from what the store holds; and where it cannot, the reason is told."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from configs.errors import PedigreeError, SettingsError
from configs.load import fill_form, parse_settings
from configs.schema import Settings
from tasks.domain.registry.model_record import record_from_dict
from tasks.domain.registry.reproduction import Reproduction
from tasks.domain.runs.results import Outcome
from tasks.stores.files.records import record_bytes
from tasks.stores.store import Store
from tests.servers import PrefectServer

Made = tuple[Settings, Outcome]
Reproduce = Callable[..., Reproduction]
Change = Callable[..., None]


@pytest.fixture(scope="module")
def promoted_model(tmp_path_factory: pytest.TempPathFactory, photos: Path, _prefect: PrefectServer) -> Iterator[Made]:
    """One run on ten real photographs of each of three breeds, and how it ended."""
    from flows.retrain import retrain

    folder = tmp_path_factory.mktemp("reproduce")
    for breed in sorted(photos.glob("[!.]*/"))[:3]:
        (folder / "photos").mkdir(exist_ok=True)
        shutil.copytree(breed, folder / "photos" / breed.name)
    values = {
        "source": {"url": str(folder / "photos")},
        "store": {"url": str(folder / "store")},
        "dataset": {"min_images_per_class": 3},
        "backbone": {"weights": "random", "cut": "mixed0", "size": 75},
        "training": {"l2": 0.25},
        "gate": {"rules": [], "needs": "no-harm", "serve_check": False},
        "tracking": {"url": f"sqlite:///{folder}/mlflow.db"},
    }
    updates = {PREFECT_API_URL: _prefect.api_url, PREFECT_LOGGING_TO_API_ENABLED: False}
    with pytest.MonkeyPatch.context() as patch, temporary_settings(updates=updates):
        patch.setenv("PREFECT_API_URL", _prefect.api_url)
        patch.setenv("PEDIGREE_HOME", str(folder))
        settings = parse_settings(values, "test")
        yield settings, retrain(**fill_form(settings, "watch"), return_state=True).result()


@pytest.fixture
def reproduce(promoted_model: Made) -> Reproduce:
    """Make that run's model again, as the command line does."""
    from flows.reproduce import reproduce as flow

    def run(model: str, *, from_pixels: bool = False) -> Reproduction:
        return flow(store_url=promoted_model[0].store.url, model=model, from_pixels=from_pixels)

    return run


@pytest.fixture
def change(promoted_model: Made) -> Iterator[Change]:
    """Change parts of the model's record, as if it had been made otherwise; afterwards it is as it was."""
    [path] = Path(promoted_model[0].store.url).glob("models/*/*.json")
    original = path.read_bytes()
    plain = {name: value for name, value in json.loads(original).items() if name != "sha256"}

    def parts(**changed: dict[str, Any]) -> None:
        mixed = {**plain, **{name: {**plain[name], **part} for name, part in changed.items()}}
        path.write_bytes(record_bytes(record_from_dict(mixed)))

    yield parts
    path.write_bytes(original)


def test_a_model_comes_out_bit_for_bit(promoted_model: Made, reproduce: Reproduce) -> None:
    """All weights come out as they were, from stored features."""
    verdict = reproduce(str(promoted_model[1].run_id))
    assert (verdict.verdict, verdict.dataset, verdict.images) == ("identical", promoted_model[1].dataset, 30)
    assert verdict.refitted
    assert verdict.refitted.embedded == 0


@pytest.mark.parametrize("word", ["1", "champion", "models:/pedigree/1", "models:/pedigree@champion", "today", "run"])
def test_a_model_has_many_names(promoted_model: Made, word: str) -> None:
    """A version, an alias, a run id and a day, whose champion it was, all mean the same decision."""
    meant = {"today": datetime.now(UTC).date().isoformat(), "run": str(promoted_model[1].run_id)}.get(word, word)
    assert Store(promoted_model[0].store.url).ledger.named(meant).number == 1


@pytest.mark.parametrize("word", ["7", "nonsense", "2020-01-01", "f" * 32])
def test_a_model_that_nobody_made_is_refused(promoted_model: Made, word: str) -> None:
    """A word that names no model gets a sentence that says what would."""
    with pytest.raises(SettingsError, match=f"knows no model {word}: name a model version such as 3"):
        Store(promoted_model[0].store.url).ledger.named(word)


def test_a_model_comes_out_from_the_original_bytes_alone(reproduce: Reproduce) -> None:
    """All features are computed again from pixels, and have the same bits."""
    verdict = reproduce("champion", from_pixels=True)
    assert verdict.verdict == "identical"
    assert verdict.refitted
    assert (verdict.refitted.embedded, verdict.refitted.unequal) == (30, 0)


def test_reproducing_leaves_the_store_as_it_was(promoted_model: Made, reproduce: Reproduce) -> None:
    """Nothing is written beside the model that is made again, and the scratch store is gone."""
    folder = Path(promoted_model[0].store.url)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    reproduce("1", from_pixels=True)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert list(folder.parent.glob("reproduce-*")) == []


def test_another_seed_gives_another_model_and_the_first_cause_is_named(reproduce: Reproduce, change: Change) -> None:
    """A model that was made with other settings by another commit does not come out, and the commit is named."""
    change(settings={"training": {"l2": 0.5}}, code={"git_commit": "0" * 40}, machine={"cpu": "Another CPU"})
    verdict = reproduce("1")
    assert verdict.verdict == "different"
    assert f"the first cause found is another commit of the code ({'0' * 40}" in verdict.reason
    assert {"git_commit", "cpu"} <= {difference.what for difference in verdict.differences}


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="other processors have no SSE4.1")
def test_other_kernels_give_an_equal_model_and_are_named(promoted_model: Made) -> None:
    """On a processor whose kernels compute other bits the model is equal, not identical, and they are named."""
    command = "from flows.cli.app import app; app()", "reproduce", "1", "--from-pixels", "--json", "--store"
    done = subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-c", *command, promoted_model[0].store.url],
        # What oneDNN then computes with is what it has on a processor from before 2011.
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "SSE41"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["verdict"] == "equal"
    assert verdict["refitted"]["unequal"] > 0
    assert verdict["refitted"]["head"] != verdict["head"]
    assert "the first cause found is other oneDNN kernels (on, now on, held to SSE41)" in verdict["reason"]


@pytest.mark.usefixtures("change")
def test_a_damaged_record_is_named(promoted_model: Made, reproduce: Reproduce) -> None:
    """A record in which one digit is another one is refused with its file's name."""
    [path] = Path(promoted_model[0].store.url).glob("models/*/*.json")
    path.write_text(path.read_text().replace('"l2": 0.25', '"l2": 0.26', 1))
    with pytest.raises(PedigreeError, match=f"models/.*{path.name} in .* is damaged"):
        reproduce("1")


def test_a_fine_tuned_model_comes_out_too(promoted_model: Made, tmp_path: Path) -> None:
    """With mirror images, a search and the backbone's end trained, all weights come out as they were."""
    from flows.reproduce import reproduce as flow
    from flows.retrain import retrain

    learned = {
        "method": "fine-tune",
        "views": "mirror",
        "label_smoothing": 0.1,
    }
    settings = parse_settings(
        {
            **promoted_model[0].model_dump(mode="json"),
            "store": {"url": str(tmp_path)},
            "tracking": {**promoted_model[0].tracking.model_dump(mode="json"), "model": "fine-tuned"},
            "training": learned,
            "fine_tuning": {"from_block": "mixed0", "epochs": 2, "learning_rate": 0.00001, "batch": 4},
        },
        "test",
    )
    outcome = retrain(**fill_form(settings, "watch"), return_state=True).result()
    record = Store(str(tmp_path)).records.read(Store(str(tmp_path)).ledger.named("champion").head, outcome.dataset)
    assert record.made.fingerprint != record.features.fingerprint
    verdict = flow(store_url=settings.store.url, model="champion", from_pixels=True)
    assert (verdict.verdict, verdict.head) == ("identical", record.head)


def test_a_head_that_learned_from_blocks_comes_out_too(promoted_model: Made, tmp_path: Path) -> None:
    """Where features were more than scale.in_memory, the record says so, and all weights come out as they were."""
    from flows.reproduce import reproduce as flow
    from flows.retrain import retrain

    values = {
        **promoted_model[0].model_dump(mode="json"),
        "store": {"url": str(tmp_path)},
        "tracking": {**promoted_model[0].tracking.model_dump(mode="json"), "model": "blocks"},
        "scale": {"in_memory": 1e-6},
    }
    settings = parse_settings(values, "test")
    outcome = retrain(**fill_form(settings, "watch"), return_state=True).result()
    record = Store(str(tmp_path)).records.read(Store(str(tmp_path)).ledger.named("champion").head, outcome.dataset)
    assert record.settings["scale"] == {"in_memory": 1e-6}
    assert record.head != Store(promoted_model[0].store.url).ledger.named("1").head
    verdict = flow(store_url=settings.store.url, model="champion")
    assert (verdict.verdict, verdict.head) == ("identical", record.head)


def test_stored_features_that_are_not_those_of_the_pixels_are_found(promoted_model: Made, reproduce: Reproduce) -> None:
    """Where somebody changed stored features, the model comes out from pixels alone, and their number is told."""
    store, dataset = promoted_model[0].store.url, promoted_model[1].dataset
    features = Store(store).records.read(Store(store).ledger.named("1").head, dataset).features
    images = [row.image for row in Store(store).manifests.read(dataset)][:4]
    table = Store(store).features(features.fingerprint, features.width)
    wrong = table.read(images) + 1
    for image in images:
        Store(store).remove_features(image)
    table.add(images, wrong)
    stored, computed = reproduce("1"), reproduce("1", from_pixels=True)
    assert stored.verdict == "different"
    assert "--from-pixels" in stored.reason
    assert computed.verdict == "identical"
    assert computed.refitted
    assert computed.refitted.unequal == 4


def test_a_forgotten_image_is_the_reason_why_not(promoted_model: Made, reproduce: Reproduce) -> None:
    """A model that used an image which was removed for good is different, and one sentence says why."""
    from tasks.catalog.images import forget

    store, dataset = promoted_model[0].store.url, promoted_model[1].dataset
    image = Store(store).manifests.read(dataset)[0].image
    forget(Store(store), image)
    verdict = reproduce("1")
    assert (verdict.verdict, verdict.refitted) == ("different", None)
    assert f"used an image that was removed for good ({image[:12]}" in verdict.reason
