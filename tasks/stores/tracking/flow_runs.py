"""Which MLflow run belongs to which flow run of Prefect."""

from collections.abc import Sequence

from tasks.stores.tracking.client import NO_SUCH_RUN, mlflow_at
from tasks.stores.tracking.experiments import ensure_experiment


def flow_runs_of(url: str, run_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the Prefect flow run that each run belongs to.

    Args:
        url: MLflow's address.
        run_ids: The runs.

    Returns:
        The flow run's id and the address of its page, by run; runs that MLflow does not have are left out.

    Raises:
        MlflowException: Any other failure, which ``mlflow_at`` turns into a PedigreeError.
    """
    from mlflow.exceptions import MlflowException

    origins = {}
    with mlflow_at(url) as client:
        for run_id in run_ids:
            try:
                tags = client.get_run(run_id).data.tags
            except MlflowException as error:
                if error.error_code not in NO_SUCH_RUN:
                    raise
                continue
            origins[run_id] = (tags.get("pedigree.flow_run", ""), tags.get("pedigree.flow_run_url", ""))
    return origins


def runs_of(url: str, experiment: str, flow_run: str) -> list[str]:
    """Return the runs of a Prefect flow run.

    Args:
        url: MLflow's address.
        experiment: The experiment's name.
        flow_run: The flow run's id.

    Returns:
        The ids of the runs.
    """
    with mlflow_at(url) as client:
        condition = f"tags.`pedigree.flow_run` = '{flow_run}'"
        runs = client.search_runs([ensure_experiment(client, url, experiment)], condition)
        return [str(run.info.run_id) for run in runs]
