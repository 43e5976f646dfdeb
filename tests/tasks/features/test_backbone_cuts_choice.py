"""What auto means for a store, and that nothing but a person changes it."""

from pathlib import Path

import pytest

from configs.errors import PedigreeError, SettingsError
from configs.schema import Backbone, Settings
from tasks.domain.registry.decisions import Decision
from tasks.domain.registry.model_record import Record
from tasks.domain.training.results import FeatureSet
from tasks.features.backbone_cuts import find_choice, with_chosen_cut
from tasks.stores.store import Store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Leave the cut to a store that is still empty."""
    values = {"source": {"url": "photos"}, "store": {"url": str(tmp_path / "store")}}
    return Settings.model_validate({**values, "backbone": {"weights": "random", "cut": "auto", "size": 75}})


def with_backbone(settings: Settings, **values: object) -> Settings:
    """Change the backbone's settings."""
    return settings.model_copy(update={"backbone": settings.backbone.model_copy(update=values)})


def promoted(settings: Settings, **values: object) -> None:
    """Leave a champion in the store whose record has these settings of its backbone."""
    feature_set, head = FeatureSet("f" * 64, 2), "a" * 64
    backbone = with_backbone(settings, **values).backbone.model_dump()
    store = settings.store.url
    Store(store).records.write(Record("d" * 64, {"backbone": backbone}, feature_set, feature_set, head, {}, {}))
    decision = Decision(
        1, "2026-11-01", "promoted", 1, None, "d" * 64, "r", feature_set.fingerprint, head, "run", "1", "", []
    )
    assert Store(store).ledger.append(decision)


def with_chosen(settings: Settings) -> Settings:
    """Put what the store has chosen in the place of auto."""
    return with_chosen_cut(settings, Store(settings.store.url))


def test_the_first_choice_stands(settings: Settings) -> None:
    """What was chosen first counts, also for a run that chose otherwise at the same time; other weights have none."""
    assert with_chosen(settings).backbone.cut == "auto"
    Store(settings.store.url).cut_choices.write(settings.backbone, "mixed8", "it is best", {})
    second = Store(settings.store.url).cut_choices.write(settings.backbone, "mixed9", "it is best", {})
    assert second.cut == with_chosen(settings).backbone.cut == "mixed8"
    assert with_chosen(with_backbone(settings, cut="mixed3")).backbone.cut == "mixed3"
    assert with_chosen(with_backbone(settings, weights="imagenet")).backbone.cut == "auto"
    assert with_chosen(with_backbone(settings, size=96)).backbone.cut == "auto"
    assert with_chosen(with_backbone(settings, precision="float16")).backbone.cut == "mixed8"


def test_a_weights_file_is_known_by_its_hash(settings: Settings) -> None:
    """The choice holds wherever the same file lies."""
    file = with_backbone(settings, weights="/a/w.h5", sha256="a" * 64)
    Store(file.store.url).cut_choices.write(file.backbone, "mixed8+mixed9", "it is best", {})
    assert with_chosen(with_backbone(file, weights="s3://b/w.h5")).backbone.cut == "mixed8+mixed9"
    assert with_chosen(with_backbone(file, sha256="b" * 64)).backbone.cut == "auto"


def test_a_store_keeps_the_cut_of_its_champion(settings: Settings) -> None:
    """Auto in the settings of a store that has a champion means that champion's cut, from then on."""
    promoted(settings, cut="mixed10")
    assert with_chosen(settings).backbone.cut == "mixed10"
    choice = Store(settings.store.url).cut_choices.read(settings.backbone)
    assert choice is not None
    assert "model version 1, used it" in str(choice)


def test_a_champion_of_other_weights_says_nothing(settings: Settings) -> None:
    """Of weights that no champion used the cuts are measured."""
    promoted(settings, cut="mixed10", size=299)
    assert with_chosen(settings).backbone.cut == "auto"


def test_a_cut_that_a_person_named_is_no_choice(settings: Settings) -> None:
    """Only a cut that auto chose is told as such."""
    Store(settings.store.url).cut_choices.write(settings.backbone, "mixed8", "it is best", {})
    assert find_choice(Store(settings.store.url), with_backbone(settings, cut="mixed9").backbone) is None
    assert "means mixed8 since" in str(find_choice(Store(settings.store.url), with_chosen(settings).backbone))


def test_fine_tuning_behind_the_chosen_cut_is_refused(settings: Settings) -> None:
    """Where auto means an earlier layer than the first that is to learn, a sentence says what to set."""
    Store(settings.store.url).cut_choices.write(settings.backbone, "mixed8", "it is best", {})
    tuned = settings.model_copy(update={"training": settings.training.model_copy(update={"method": "fine-tune"})})
    with pytest.raises(SettingsError, match=r"behind backbone\.cut mixed8: set fine_tuning\.from_block to mixed8"):
        with_chosen(tuned)


def test_a_damaged_choice_is_named(settings: Settings, tmp_path: Path) -> None:
    """A file that says nothing any more stops the run instead of another choice."""
    Store(settings.store.url).cut_choices.write(settings.backbone, "mixed8", "it is best", {})
    (file,) = (tmp_path / "store" / "cuts").iterdir()
    file.write_text("{}")
    with pytest.raises(PedigreeError, match=r"cuts/[0-9a-f]{64}\.json in .* is damaged"):
        with_chosen(settings)


def test_pairs_are_settings() -> None:
    """Two of the last cuts can be set, and fine-tuning may begin where the later one does."""
    for cut in ("mixed8+mixed9", "mixed9+mixed10", "auto"):
        assert Backbone(cut=cut).cut == cut
