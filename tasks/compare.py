"""The step of ``pedigree backbone compare``: measure the cuts of the backbone, and choose none."""

from configs import schema
from configs.problems import Problem
from tasks.comparing import measure_cuts
from tasks.domain.cuts import CutComparison
from tasks.domain.night import Dataset
from tasks.step import step
from tasks.stores.bucket import read_url


def check_comparable(backbone: schema.Backbone) -> None:
    """Raise SettingsProblem, before a photograph is fetched, where the weights end at a cut of their own."""
    from tasks.modeling.cuts import check_whole

    check_whole(backbone, read_url(backbone.weights) if backbone.is_file else None)


@step(hours=24)
def compare(dataset: Dataset, settings: schema.Settings) -> CutComparison:
    """Measure each cut on the training and validation images of a version; raise Problem where it has too few."""
    if dataset.state == "waiting":
        raise Problem(f"There is nothing to compare cuts on: {dataset.reason}.")
    return measure_cuts(dataset.hash, settings)
