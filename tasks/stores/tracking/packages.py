"""The files of each registered model, by their SHA-256: as they were packaged, and as MLflow serves them."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from tasks.domain.hashing import sha256_of_bytes
from tasks.stores.tracking.database import has_known_layout
from tasks.stores.tracking.embedded_registry import EmbeddedRegistry

Files = Mapping[str, str]
#: The one large file, by the engine that computes with it: hashing it takes a tenth of a second or more.
BACKBONE, GRAPH = "artifacts/backbone.npz", "artifacts/backbone.onnx"
# MLflow writes this file beside files that it loads from a local disk; it names the version.
_LOADED = "registered_model_meta"


def files_in(folder: Path, but: Sequence[str] = ()) -> Files:
    """Hash the files of a packaged model, without Python's byte code.

    Args:
        folder: The folder of the packaged model.
        but: The names of files that are left out.

    Returns:
        SHA-256 by file name.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    named = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: sha256_of_bytes(path.read_bytes()) for name, path in named.items() if name not in {*but, _LOADED}}


def served_files(url: str, model: str, version: str, names: Sequence[str] = ()) -> Files:
    """Hash the files of a version as MLflow serves them.

    Args:
        url: MLflow's address.
        model: The name of the registered model.
        version: The version's number.
        names: The files; empty means all. Where MLflow's files are on this machine, all but the backbone are hashed.

    Returns:
        SHA-256 by file name; files that are gone are left out.

    Raises:
        PedigreeError: MLflow does not answer.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    from tasks.stores.tracking.client import mlflow_at

    with mlflow_at(url) as client, TemporaryDirectory() as download_folder:
        source = str(client.get_model_version(model, version).source)
        repository = get_artifact_repository(source, tracking_uri=url)
        # Files on this machine are hashed in place.
        local = isinstance(repository, LocalArtifactRepository)
        if not names or local:
            folder = Path(repository.download_artifacts("", None if local else download_folder))  # type: ignore[no-untyped-call]
            return files_in(folder, (BACKBONE, GRAPH) if names else ())
        return {name: digest for name in names if (digest := _served(repository, name, download_folder))}


def fetch_files(url: str, model: str, version: str, names: Sequence[str], folder: Path) -> None:
    """Copy files of a version as MLflow serves them; an embedded database is read without importing MLflow.

    Args:
        url: MLflow's address.
        model: The name of the registered model.
        version: The version's number.
        names: The files.
        folder: The folder that gets them, by the last part of their names.

    Raises:
        PedigreeError: MLflow does not answer.
        FileNotFoundError: A file is gone.
    """
    source = EmbeddedRegistry(url).source(model, version) if has_known_layout(url) else ""
    if source.startswith(("file:", "/")):
        for name in names:
            shutil.copyfile(Path(unquote(urlsplit(source).path)) / name, folder / Path(name).name)
        return
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    from tasks.stores.tracking.client import mlflow_at

    with mlflow_at(url) as client:
        address = str(client.get_model_version(model, version).source)
        repository = get_artifact_repository(address, tracking_uri=url)
        with TemporaryDirectory() as download_folder:
            for name in names:
                path = repository.download_artifacts(name, download_folder)  # type: ignore[no-untyped-call]
                shutil.copyfile(path, folder / Path(name).name)


def _served(repository: object, name: str, folder: str) -> str:
    from mlflow.exceptions import MlflowException

    try:
        path = repository.download_artifacts(name, folder)  # type: ignore[attr-defined]
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return ""
        raise
    return sha256_of_bytes(Path(path).read_bytes())
