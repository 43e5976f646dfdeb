"""Links between the places where a night can be looked at."""

from prefect.runtime import flow_run


def flow_run_tags() -> dict[str, str]:
    """Name the Prefect flow run that this code runs in, and the address of its page."""
    return {"flow_run": str(flow_run.id or "none"), "flow_run_url": str(flow_run.ui_url or "none")}


def mlflow_run_url(tracking_url: str, experiment_id: str, run_id: str) -> str | None:
    """Name the page of an MLflow run; None where MLflow is a database that no server shows."""
    if not tracking_url.startswith("http"):
        return None
    return f"{tracking_url.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}"
