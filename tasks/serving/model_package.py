"""The folder that MLflow serves: the packaged model with the code and the list of packages that it needs anywhere."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.models import Model, ModelSignature
from mlflow.pyfunc import save_model
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import Map
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

_ROOT = Path(__file__).parents[2]
# The modules that turn a picture into an answer, and no other: what a model carries is read by whoever audits it.
_CODE = (
    "configs/__init__.py",
    "configs/cores.py",
    "configs/errors.py",
    "configs/visible_text.py",
    "tasks/__init__.py",
    "tasks/domain/__init__.py",
    "tasks/domain/hashing.py",
    "tasks/domain/images/__init__.py",
    "tasks/domain/images/color_management.py",
    "tasks/domain/images/file_formats.py",
    "tasks/domain/images/preprocessing.py",
    "tasks/domain/images/rejections.py",
    "tasks/modeling/__init__.py",
    "tasks/modeling/backbone/__init__.py",
    "tasks/modeling/backbone/backbone.py",
    "tasks/modeling/backbone/serialization.py",
    "tasks/modeling/head/__init__.py",
    "tasks/modeling/head/head.py",
    "tasks/modeling/packaged_model.py",
)
_ENGINES = {
    "tensorflow": (
        "tasks/modeling/backbone/blocks.py",
        "tasks/modeling/backbone/inception.py",
        "tasks/modeling/backbone/tensorflow_engine.py",
        "tasks/modeling/determinism.py",
    ),
    "onnxruntime": ("tasks/modeling/backbone/onnx_engine.py",),
}
# Where a package has had what MLflow runs since the first one: whoever compares served files asks for it by this name.
_ENTRY = "model.py"
_IMPORTED = ("mlflow", "numpy", "pandas", "pillow")
# What a server answers in one request; whoever runs one sets other figures by MLflow's SERVING_MODEL_CONFIG.
_SERVING = {"max_rows": 64, "max_megabytes": 64, "max_megapixels": 30, "max_request_megapixels": 300}
_SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec(DataType.binary, "image")]),
    outputs=Schema(
        [
            ColSpec(DataType.string, "label", required=False),
            ColSpec(DataType.double, "probability", required=False),
            ColSpec(DataType.boolean, "sure"),
            ColSpec(Map(DataType.double), "probabilities", required=False),
            ColSpec(DataType.string, "problem"),
        ]
    ),
)


def write_mlflow_model(packaged: Path, folder: Path, identity: Model) -> None:
    """Write a new folder that MLflow can serve where nothing of this project is installed.

    Args:
        packaged: The folder that ``tasks.modeling.packaged_model.Package`` wrote.
        folder: The folder to write.
        identity: Says which run and model this is.
    """
    # A uv project that happens to lie in the current folder says nothing about what the model needs.
    os.environ["MLFLOW_UV_AUTO_DETECT"] = "false"
    with TemporaryDirectory() as workspace:
        code, entry = Path(workspace) / "code", Path(workspace) / _ENTRY
        engine = "onnxruntime" if (packaged / "backbone.onnx").exists() else "tensorflow"
        _copy_code(code, entry, engine)
        constraints = Path(workspace) / "constraints.txt"
        save_model(
            path=str(folder),
            python_model=str(entry),
            code_paths=[str(path) for path in sorted(code.iterdir())],
            artifacts={path.name: str(path) for path in sorted(packaged.iterdir())},
            signature=_SIGNATURE,
            input_example=_example(),
            pip_requirements=_requirements(constraints, engine),
            mlflow_model=identity,
            model_config=_SERVING,
        )
    _remove_paths(folder, identity)


def carried_code(engine: str) -> tuple[str, ...]:
    """Return the modules that a model carries whose features this engine computes, by their paths."""
    return (*_CODE, *_ENGINES[engine])


def _copy_code(code: Path, entry: Path, engine: str) -> None:
    """Copy the modules that the model imports, and the one that MLflow runs."""
    for name in carried_code(engine):
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_ROOT / name, code / name)
    shutil.copyfile(Path(__file__).with_name("pyfunc_model.py"), entry)


def _remove_paths(folder: Path, identity: Model) -> None:
    """Name the package's own files where MLflow noted where this machine had them."""
    flavor = identity.flavors["python_function"]
    flavor["model_code_path"] = Path(flavor["model_code_path"]).name
    for artifact in flavor["artifacts"].values():
        artifact["uri"] = artifact["path"]
    identity.save(str(folder / "MLmodel"))


def _requirements(constraints: Path, engine: str) -> list[str]:
    """Pin what the model imports, and hold what that needs in turn to the versions under which it was judged."""
    imported = (*_IMPORTED, *_engine_packages(engine))
    pins = {name: f"{name}=={version}" for name, version in sorted(_installed_versions(imported).items())}
    constraints.write_text("\n".join(pin for name, pin in pins.items() if name not in imported))
    return [*(pins[name] for name in imported), f"-c {constraints}"]


def _engine_packages(engine: str) -> tuple[str, ...]:
    if engine == "onnxruntime":
        return ("onnxruntime",)
    return "h5py", "keras", "tensorflow" if _installed_versions(("tensorflow",)) else "tensorflow-cpu"


@cache
def _installed_versions(names: tuple[str, ...]) -> Mapping[str, str]:
    """Look up the versions of these distributions and of all that they require, as far as they are installed.

    That takes half a second of CPU, and what is installed does not change while a process runs.

    Returns:
        Versions by the canonical names of distributions.
    """
    versions: dict[str, str] = {}
    waiting = [str(canonicalize_name(name)) for name in names]
    while waiting:
        name = waiting.pop()
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
            waiting += _direct_requirements(name) - versions.keys()
    return versions


def _direct_requirements(name: str) -> set[str]:
    needs = [Requirement(text) for text in metadata.requires(name) or []]
    applicable = [need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return {str(canonicalize_name(need.name)) for need in applicable}


def _example() -> list[dict[str, bytes]]:
    """Make the request that MLflow shows to people who want to call the model: a grey square."""
    picture = BytesIO()
    Image.new("RGB", (64, 64), "grey").save(picture, "PNG")
    return [{"image": picture.getvalue()}]
