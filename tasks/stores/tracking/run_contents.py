"""What a run in MLflow holds that was written before: single files, its settings, and where it is in Prefect."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tasks.stores.tracking.client import NO_SUCH_RUN, mlflow_at


def read_named_files(url: str, run_id: str, names: Sequence[str]) -> dict[str, bytes]:
    """Read files of a run, as far as it has them.

    Args:
        url: MLflow's address.
        run_id: The run.
        names: The files' names within the run.

    Returns:
        The bytes of each file by its name.

    Raises:
        MlflowException: Any other failure than a missing run, which ``mlflow_at`` turns into a PedigreeError.
    """
    from mlflow.exceptions import MlflowException

    files = {}
    with mlflow_at(url) as client, TemporaryDirectory() as place:
        try:
            present = {
                entry.path
                for folder in {name.rpartition("/")[0] for name in names}
                for entry in client.list_artifacts(run_id, folder)
            }
        except MlflowException as error:
            if error.error_code not in NO_SUCH_RUN:
                raise
            return {}
        for name in names:
            if name in present:
                files[name] = Path(client.download_artifacts(run_id, name, place)).read_bytes()
    return files


def read_settings(url: str, run_id: str) -> tuple[dict[str, str], str]:
    """Read the settings with which a run was made, and where its page in Prefect is.

    Args:
        url: MLflow's address.
        run_id: The run.

    Returns:
        The settings by name, and the address; empty where the run had no page.
    """
    with mlflow_at(url) as client:
        data = client.get_run(run_id).data
    page = data.tags.get("pedigree.flow_run_url", "")
    return dict(data.params), page if page.startswith("http") else ""
