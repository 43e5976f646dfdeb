"""Links between the places where a night can be looked at."""

from prefect.runtime import flow_run


def flow_run_tags() -> dict[str, str]:
    """Name the Prefect flow run that this code runs in, and the address of its page."""
    return {"flow_run": str(flow_run.id or "none"), "flow_run_url": str(flow_run.ui_url or "none")}
