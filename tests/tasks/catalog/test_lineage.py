"""From an image to every model that saw it, and from a model back."""

from pathlib import Path

import pytest

from configs.errors import AmbiguousError, SettingsError
from configs.schema import Tracking
from tasks.catalog.lineage import find
from tasks.catalog.versions import diff
from tasks.stores.store import Store
from tasks.stores.tracking import runs
from tests.flows.stored_runs import photographs, write_run
from tests.tasks.decisions import add_decision, make_workspace


@pytest.fixture
def two_versions(tmp_path: Path, photos: Path) -> tuple[str, list[str], str]:
    """Two runs; a photograph, whose key is returned, is gone in the second."""
    objects = photographs(photos, breeds=3, images=6)
    gone = min(objects)
    fewer = {key: data for key, data in objects.items() if key != gone}
    store = str(tmp_path / "store")
    return store, [write_run(store, objects), write_run(store, fewer)], gone


def test_an_image_leads_to_the_versions_and_models_that_used_it(two_versions: tuple[str, list[str], str]) -> None:
    """By its key or its hash an image is found also in a version of which it was taken away since."""
    store, names, gone = two_versions
    lineage = find(Store(store), gone)
    (use,) = lineage.images
    assert (use.dataset, use.key) == (names[0], gone)
    assert [(model.decision, model.model_version) for model in lineage.models] == [(1, "1")]
    assert find(Store(store), use.image).images == find(Store(store), use.image[:16]).images == lineage.images


def test_a_backbone_leads_to_its_models_and_ambiguous_digits_to_candidates(
    two_versions: tuple[str, list[str], str],
) -> None:
    """A backbone's fingerprint names the models on it; digits of several images or versions name these."""
    store, names, _ = two_versions
    backbone = Store(store).ledger.entries()[0].backbone
    lineage = find(Store(store), backbone)
    assert (lineage.what, len(lineage.models), lineage.versions) == ("backbone", 2, tuple(sorted(names)))
    alike = f"{names[0][:40]}{'0' * 24}"
    Path(store, "datasets", alike).mkdir()
    Path(store, "datasets", alike, "manifest.parquet").write_bytes(b"")
    with pytest.raises(AmbiguousError, match=f"{names[0][:16]} fits 2 versions, .*{names[0][:41]}"):
        find(Store(store), names[0][:16])


def test_a_version_a_model_and_a_run_lead_to_each_other(two_versions: tuple[str, list[str], str]) -> None:
    """A version names its models, a model its version."""
    store, names, _ = two_versions
    assert [model.model_version for model in find(Store(store), names[1]).models] == ["2"]
    second = find(Store(store), "2")
    assert (second.what, second.versions, second.models[0].champion) == ("model", (names[1],), True)
    with pytest.raises(SettingsError, match="Nothing in"):
        find(Store(store), "poodle/none.jpg")
    with pytest.raises(SettingsError, match="-c FILE"):
        find(Store(store), "0d5a7c1e-0000-4000-8000-000000000001")


def test_a_run_of_prefect_and_its_model_lead_to_each_other(tmp_path: Path) -> None:
    """With MLflow at hand a model names the flow run that made it, and the flow run its model."""
    workspace, run_id = make_workspace(tmp_path), "0d5a7c1e-0000-4000-8000-000000000001"
    decision, _ = add_decision(workspace, "promoted"), add_decision(workspace, "rejected")
    tags = {"pedigree.flow_run": run_id, "pedigree.flow_run_url": f"http://prefect/{run_id}"}
    runs.tag(workspace.tracking.url, decision.run_id, tags)
    tracking = Tracking(url=workspace.tracking.url, experiment="deciding")
    (model,) = find(workspace.store, decision.model_version, tracking).models
    assert (model.flow_run, model.flow_run_url) == (run_id, f"http://prefect/{run_id}")
    assert [listed.model_version for listed in find(workspace.store, run_id, tracking).models] == [
        decision.model_version
    ]


def test_models_and_runs_are_compared_like_versions(two_versions: tuple[str, list[str], str]) -> None:
    """Two models are compared by their data and by their answers; a model and a version by their data alone."""
    store, names, gone = two_versions
    difference = diff(Store(store), "1", "champion")
    assert (difference.before, difference.after, difference.models) == (names[0], names[1], ("1", "2"))
    assert [row.key for row in difference.difference.removed] == [gone]
    assert difference.flips
    assert difference.flips.images > 0
    assert "predictions" in difference.to_dict()
    assert diff(Store(store), "1", names[1]).flips is None
    assert Store(store).ledger.named("champion").model_version == "2"
