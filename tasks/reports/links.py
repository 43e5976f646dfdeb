"""Links between the places where a night can be looked at."""

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run


def flow_run_tags() -> dict[str, str]:
    """Name the Prefect flow run that this code runs in, and the address of its page where a server has pages."""
    page = str(flow_run.ui_url)
    return {"flow_run": str(flow_run.id or "none"), "flow_run_url": page if page.startswith("http") else "none"}


def label_run(name: str, page: str) -> None:
    """Write the address of a page onto the flow run, where messages about it find it."""
    if flow_run.id and page:
        with get_client(sync_client=True) as client:
            client.update_flow_run_labels(UUID(str(flow_run.id)), {f"pedigree.{name}": page})
