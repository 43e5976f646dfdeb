"""The compare flow: measure each cut of the backbone on what the source holds now."""

from prefect import flow

from configs.schema import Settings
from tasks.datasets.assemble import assemble
from tasks.datasets.label import label
from tasks.domain.training.cut_comparison import CutComparison
from tasks.features.backbone_cuts import check_comparable
from tasks.features.backbone_cuts import compare_backbone_cuts as compare_cuts
from tasks.ingestion.ingest import ingest
from tasks.ingestion.snapshot import snapshot
from tasks.reports.prefect_ui.runs_list import name_flow_run
from tasks.runs.preflight import preflight


@flow(name="compare", flow_run_name=name_flow_run, persist_result=False)
def compare(settings: Settings) -> CutComparison:
    """Build the dataset version of what the source holds, and measure each cut of the backbone on it.

    Args:
        settings: Everything a retraining needs to know; the defaults are those of the settings file.

    Returns:
        The log loss and accuracy of each cut, and which cut is best.
    """
    settings = preflight(settings)
    check_comparable(settings.backbone)

    listed = snapshot(settings.source, settings.store, "")
    ingested = ingest(listed, settings)
    labels = label(ingested, settings.labels, settings.store)
    return compare_cuts(assemble(labels, settings, force=True), settings)
