"""Links between the places where a night can be looked at."""

from prefect.runtime import flow_run


def flow_run_tags() -> dict[str, str]:
    """Name the Prefect flow run that this code runs in, and the address of its page where a server has pages."""
    page = str(flow_run.ui_url)
    return {"flow_run": str(flow_run.id or "none"), "flow_run_url": page if page.startswith("http") else "none"}
