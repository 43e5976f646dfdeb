"""What a run in MLflow holds that was written before: single files, its settings, and where it is in Prefect."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tasks.stores.files.export_folder import write_file
from tasks.stores.tracking.client import NO_SUCH_RUN, mlflow_at
from tasks.stores.tracking.database import has_known_layout
from tasks.stores.tracking.embedded_registry import EmbeddedRegistry
from tasks.stores.tracking.runs import log_files


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
    folder = EmbeddedRegistry(url).run_folder(run_id) if has_known_layout(url) else None
    if folder is not None:
        return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
    from mlflow.exceptions import MlflowException

    files = {}
    with mlflow_at(url) as client, TemporaryDirectory() as download_folder:
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
                files[name] = Path(client.download_artifacts(run_id, name, download_folder)).read_bytes()
    return files


def read_settings(url: str, run_id: str) -> tuple[dict[str, str], str]:
    """Read the settings with which a run was made, and where its page in Prefect is.

    Args:
        url: MLflow's address.
        run_id: The run.

    Returns:
        The settings by name, and the address; empty where the run had no page.
    """
    if has_known_layout(url):
        registry = EmbeddedRegistry(url)
        parameters, tags = registry.run_parameters(run_id), registry.run_tags(run_id)
    else:
        with mlflow_at(url) as client:
            data = client.get_run(run_id).data
        parameters, tags = dict(data.params), data.tags
    page = tags.get("pedigree.flow_run_url", "")
    return parameters, page if page.startswith("http") else ""


def replace_files(url: str, run_id: str, files: Mapping[str, bytes]) -> None:
    """Write files of a run anew.

    Args:
        url: MLflow's address.
        run_id: The run, which has these files.
        files: The bytes of each file by its name.
    """
    folder = EmbeddedRegistry(url).run_folder(run_id) if has_known_layout(url) else None
    if folder is None:
        log_files(url, run_id, files)
        return
    for name, data in files.items():
        write_file(folder / name, data)
