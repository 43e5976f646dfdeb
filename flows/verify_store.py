"""The whole store proved once a week: every dataset version, and all that was decided about it."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from configs.load import absolute
from configs.schema import Store
from flows.parameters import form
from tasks.catalog.verify import Verified, verify_all
from tasks.domain.phrasing import count, listed
from tasks.reports.prefect_ui.artifacts import show_damage
from tasks.reports.prefect_ui.progress import progress


@flow(name="verify-store", persist_result=False, validate_parameters=False)
@form()
def verify_store(store: Store) -> State[tuple[Verified, ...]]:
    """Hash every image and every record of all dataset versions again, and fail with the names of what is damaged.

    Args:
        store: Where Pedigree keeps what it knows.
    """
    found = verify_all(absolute(store.url), progress)
    damage = [(one.dataset, each.what, each.detail) for one in found for each in one.damage]
    told = f"{count(len(found), 'version')}, {count(sum(one.images for one in found), 'image')} hashed again"
    show_damage(told, damage)
    if damage:
        return Failed(name="Damaged", message=f"{told}: damaged are {listed([what for _, what, _ in damage])}")
    return Completed(name="Whole", message=f"{told}: all as it was written", data=found)
