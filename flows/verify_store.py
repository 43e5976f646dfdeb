"""The verify-store flow: hash everything that the store keeps again, once a week, and name what is damaged."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from configs import schema
from configs.environment import absolute
from configs.load import resolve_scale
from configs.sections import Scale
from flows.decorators import flat_parameters
from tasks.catalog.verify import Verification, verify_all
from tasks.domain.phrasing import count, list_names
from tasks.engine.engine import open_engine
from tasks.reports.prefect_ui.artifacts import show_damage
from tasks.reports.prefect_ui.progress import show_progress
from tasks.reports.prefect_ui.runs_list import name_flow_run
from tasks.step import log_line
from tasks.stores.store import Store


@flow(name="verify-store", flow_run_name=name_flow_run, persist_result=False, validate_parameters=False)
@flat_parameters()
def verify_store(store: schema.Store, scale: Scale) -> State[tuple[Verification, ...]]:
    """Hash every image and every record of all dataset versions again, and fail with the names of what is damaged.

    Args:
        store: Where Pedigree keeps what it knows.
        scale: Whether this process hashes the images, or workers do.

    Returns:
        A completed state named Whole with what was verified, or a failed state named Damaged.
    """
    engine = open_engine(resolve_scale(scale), log_line)
    versions = verify_all(Store(absolute(store.url)), show_progress, engine)
    damage = [(version.dataset, entry.what, entry.detail) for version in versions for entry in version.damage]
    summary = (
        f"{count(len(versions), 'version')}, {count(sum(version.images for version in versions), 'image')} hashed again"
    )
    show_damage(summary, damage)
    if damage:
        return Failed(name="Damaged", message=f"{summary}: damaged are {list_names([name for _, name, _ in damage])}")
    return Completed(name="Whole", message=f"{summary}: all as it was written", data=versions)
