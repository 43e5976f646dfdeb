"""The cuts of a backbone beside each other, on the dataset version of what the source holds now."""

from prefect import flow

from configs.schema import Settings
from tasks.assemble import assemble
from tasks.check import check
from tasks.compare import check_comparable
from tasks.compare import compare as compare_cuts
from tasks.domain.cuts import CutComparison
from tasks.ingest import ingest
from tasks.label import label
from tasks.snapshot import snapshot


@flow(name="compare", persist_result=False)
def compare(settings: Settings) -> CutComparison:
    """Make the dataset version of what the source holds, and measure each cut of the backbone on it.

    Args:
        settings: Everything a retraining needs to know; the defaults are those of the settings file.
    """
    settings = check(settings)
    check_comparable(settings.backbone)

    listed = snapshot(settings.source, settings.store, "")
    ingested = ingest(listed, settings)
    labels = label(ingested, settings.labels, settings.store)
    return compare_cuts(assemble(labels, settings, force=True), settings)
