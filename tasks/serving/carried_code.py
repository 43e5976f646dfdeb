"""What a model carries to other machines: the modules that answer, and the versions of what they import."""

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).parents[2]
#: The modules of the pixel function, from a file's bytes to the network's square: NumPy and Pillow are all they import.
PIXELS = (
    "tasks/__init__.py",
    "tasks/domain/__init__.py",
    "tasks/domain/images/__init__.py",
    "tasks/domain/images/color_management.py",
    "tasks/domain/images/file_formats.py",
    "tasks/domain/images/preprocessing.py",
    "tasks/domain/images/rejections.py",
)
# The modules that turn a picture into an answer, and no other: what a model carries is read by whoever audits it.
_CODE = (
    *PIXELS,
    "configs/__init__.py",
    "configs/cores.py",
    "configs/errors.py",
    "configs/visible_text.py",
    "tasks/domain/hashing.py",
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


def carried_code(engine: str) -> tuple[str, ...]:
    """Return the modules that a model carries whose features this engine computes, by their paths."""
    return (*_CODE, *_ENGINES[engine])


def copy_code(folder: Path, names: Iterable[str]) -> None:
    """Copy modules of this project, byte for byte.

    Args:
        folder: The folder that gets them.
        names: Their paths, as ``carried_code`` returns them.
    """
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_ROOT / name, folder / name)


@cache
def installed_versions(names: tuple[str, ...]) -> Mapping[str, str]:
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
