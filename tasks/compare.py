"""The step of ``pedigree backbone compare``: measure the cuts of the backbone, and choose none."""

from configs import schema
from configs.problems import Problem
from tasks.comparing import measure_cuts
from tasks.domain.cuts import CutComparison
from tasks.domain.night import Dataset
from tasks.step import step


@step(hours=24)
def compare(dataset: Dataset, settings: schema.Settings) -> CutComparison:
    """Measure each cut on the training and validation images of a version; raise Problem where it has too few."""
    if dataset.state == "waiting":
        raise Problem(f"There is nothing to compare cuts on: {dataset.reason}.")
    return measure_cuts(dataset.hash, settings)
