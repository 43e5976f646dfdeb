"""The folder that MLflow serves: the packaged model with the code and the list of packages that it needs anywhere."""

import os
import shutil
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.models import Model, ModelSignature
from mlflow.pyfunc import save_model
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import Map
from PIL import Image

from tasks.serving.carried_code import carried_code, copy_code, installed_versions

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
        copy_code(code, carried_code(engine))
        shutil.copyfile(Path(__file__).with_name("pyfunc_model.py"), entry)
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
    pins = {name: f"{name}=={version}" for name, version in sorted(installed_versions(imported).items())}
    constraints.write_text("\n".join(pin for name, pin in pins.items() if name not in imported))
    return [*(pins[name] for name in imported), f"-c {constraints}"]


def _engine_packages(engine: str) -> tuple[str, ...]:
    if engine == "onnxruntime":
        return ("onnxruntime",)
    return "h5py", "keras", "tensorflow" if installed_versions(("tensorflow",)) else "tensorflow-cpu"


def _example() -> list[dict[str, bytes]]:
    """Make the request that MLflow shows to people who want to call the model: a grey square."""
    picture = BytesIO()
    Image.new("RGB", (64, 64), "grey").save(picture, "PNG")
    return [{"image": picture.getvalue()}]
