"""The reproduce flow: train a former model again from its record, and compare the two bit for bit."""

from prefect import flow

from configs.load import resolve_scale
from configs.schema import Store
from configs.sections import Scale
from flows.decorators import flat_parameters
from tasks.domain.registry.reproduction import Reproduction
from tasks.reports.prefect_ui.runs_list import name_flow_run
from tasks.reproduction.original import load_record, verify_images
from tasks.reproduction.refit import compare, refit


@flow(name="reproduce", flow_run_name=name_flow_run, persist_result=False, validate_parameters=False)
@flat_parameters()
def reproduce(store: Store, scale: Scale, model: str, from_pixels: bool = False) -> Reproduction:  # noqa: FBT001, FBT002 - a tick box
    """Train a model again from its dataset version, settings, seed and backbone, and say whether it is the same.

    Args:
        store: Where Pedigree keeps what it knows.
        scale: Whether this process does long work, or workers do.
        model: A model version such as 3, champion, an MLflow run id, or a day such as 2026-11-01: its champion.
        from_pixels: Compute the features again from the original bytes too, instead of taking the stored ones.

    Returns:
        The verdict (identical, equal or different) with its evidence.
    """
    original = load_record(store, model)
    verified = verify_images(original, store, resolve_scale(scale))
    if verified.lost:
        return compare(original, verified)
    refitted = refit(original, store, resolve_scale(scale), from_pixels)
    return compare(original, verified, refitted)
