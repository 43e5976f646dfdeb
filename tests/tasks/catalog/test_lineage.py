"""From an image to every model that saw it, and from a model back."""

from pathlib import Path

import pytest

from configs.errors import SettingsError
from configs.schema import Tracking
from tasks.catalog.lineage import find
from tasks.catalog.versions import diff
from tasks.stores.store import Store
from tasks.stores.tracking import runs
from tests.flows.made_store import night, photographs
from tests.tasks.deciding import judged, place_at


@pytest.fixture
def made(tmp_path: Path, photos: Path) -> tuple[str, list[str], str]:
    """Two nights; a photograph, whose key is returned, is gone in the second."""
    objects = photographs(photos, breeds=3, images=6)
    gone = min(objects)
    fewer = {key: data for key, data in objects.items() if key != gone}
    store = str(tmp_path / "store")
    return store, [night(store, objects), night(store, fewer)], gone


def test_an_image_leads_to_the_versions_and_models_that_used_it(made: tuple[str, list[str], str]) -> None:
    """By its key or its hash an image is found also in a version of which it was taken away since."""
    store, names, gone = made
    found = find(store, gone)
    (use,) = found.images
    assert (use.dataset, use.key) == (names[0], gone)
    assert [(one.decision, one.model_version) for one in found.models] == [(1, "1")]
    assert find(store, use.image).images == find(store, use.image[:16]).images == found.images


def test_a_version_a_model_and_a_run_lead_to_each_other(made: tuple[str, list[str], str]) -> None:
    """A version names its models, a model its version."""
    store, names, _ = made
    assert [one.model_version for one in find(store, names[1]).models] == ["2"]
    second = find(store, "2")
    assert (second.what, second.versions, second.models[0].champion) == ("model", (names[1],), True)
    with pytest.raises(SettingsError, match="Nothing in"):
        find(store, "poodle/none.jpg")
    with pytest.raises(SettingsError, match="-c FILE"):
        find(store, "0d5a7c1e-0000-4000-8000-000000000001")


def test_a_night_of_prefect_and_its_model_lead_to_each_other(tmp_path: Path) -> None:
    """With MLflow at hand a model names the flow run that made it, and the flow run its model."""
    place, night_id = place_at(tmp_path), "0d5a7c1e-0000-4000-8000-000000000001"
    one, _ = judged(place, "promoted"), judged(place, "rejected")
    tags = {"pedigree.flow_run": night_id, "pedigree.flow_run_url": f"http://prefect/{night_id}"}
    runs.tag(place.tracking.url, one.run_id, tags)
    asked = Tracking(url=place.tracking.url, experiment="deciding")
    (made,) = find(place.store, one.model_version, asked).models
    assert (made.flow_run, made.flow_run_url) == (night_id, f"http://prefect/{night_id}")
    assert [found.model_version for found in find(place.store, night_id, asked).models] == [one.model_version]


def test_models_and_runs_are_compared_like_versions(made: tuple[str, list[str], str]) -> None:
    """Two models are compared by their data and by their answers; a model and a version by their data alone."""
    store, names, gone = made
    found = diff(store, "1", "champion")
    assert (found.before, found.after, found.models) == (names[0], names[1], ("1", "2"))
    assert [row.key for row in found.difference.removed] == [gone]
    assert found.flips
    assert found.flips.images > 0
    assert "predictions" in found.to_dict()
    assert diff(store, "1", names[1]).flips is None
    assert Store(store).ledger.named("champion").model_version == "2"
