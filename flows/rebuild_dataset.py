"""The rebuild flow: a dataset version without training, of the source as it is or as it was on a former day."""

from prefect import flow

from configs.schema import Settings
from tasks.datasets.assemble import assemble
from tasks.datasets.label import label
from tasks.datasets.write_data_card import write_data_card
from tasks.domain.runs.results import RunData
from tasks.ingestion.ingest import ingest
from tasks.ingestion.snapshot import snapshot
from tasks.reports.prefect_ui.runs_list import name_flow_run
from tasks.runs.preflight import preflight
from tasks.runs.summarize import mark_rebuilt


@flow(name="rebuild", flow_run_name=name_flow_run, persist_result=False)
def rebuild(settings: Settings, as_of: str = "") -> RunData:
    """Build the dataset version of what the source holds, or held on a former day, without training on it.

    Args:
        settings: Everything a retraining needs to know; the defaults are those of the settings file.
        as_of: A former day such as 2026-11-01: the source as it was last seen until its end (UTC); empty means now.

    Returns:
        What was ingested, the labels, and the dataset version.
    """
    settings = preflight(settings)

    listed = snapshot(settings.source, settings.store, as_of)
    ingested = ingest(listed, settings)
    labels = label(ingested, settings.labels, settings.store)
    dataset = assemble(labels, settings, force=True)
    data = RunData(ingested, labels, dataset)
    card = write_data_card(data, settings) if dataset.trainable else None
    mark_rebuilt(listed, data, card, settings)
    return data
