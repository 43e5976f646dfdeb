"""The environment of this process: folders, addresses, secrets, workers and the code's version."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from configs.errors import PedigreeError, SettingsError

# No telemetry; and the first start of the embedded Prefect server takes longer than Prefect's default allows.
_QUIET = {
    "DO_NOT_TRACK": "1",
    "LANCE_LOG": "error",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # Other kernels round differently; TensorFlow reads this when it is first imported.
    "TF_ENABLE_ONEDNN_OPTS": "1",
}
# What a record means by the code.
_CODE = ("configs", "flows", "infra", "tasks", "pyproject.toml")
_HTTP = ("http://", "https://")


def home() -> Path:
    """Return the folder for what Pedigree keeps on this machine: PEDIGREE_HOME, or .pedigree in the current folder."""
    return _absolute(Path(os.environ.get("PEDIGREE_HOME") or ".pedigree"))


def prepare_environment(**extra: str) -> None:
    """Create the home folder, and set the variables that Prefect, MLflow and TensorFlow read when they are imported.

    Args:
        **extra: More variables; none replaces what the user has set.

    Raises:
        PedigreeError: The home folder cannot be created.
    """
    folder = home()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = (
            f"Pedigree's home folder {folder} cannot be made ({error.strerror}): set PEDIGREE_HOME to one that can."
        )
        raise PedigreeError(message) from error
    if not _has_home():
        os.environ["HOME"] = str(folder)
    for name, value in {
        **_QUIET,
        "PEDIGREE_HOME": str(folder),
        "PREFECT_HOME": str(folder / "prefect"),
        **extra,
    }.items():
        os.environ.setdefault(name, value)


def check_home() -> None:
    """Check that the home folder can be written, which Prefect and MLflow need.

    Raises:
        PedigreeError: It cannot.
    """
    if not os.access(home(), os.W_OK | os.X_OK):
        raise PedigreeError(f"Pedigree's home folder {home()} cannot be written: set PEDIGREE_HOME to one that can.")


def prefect_address() -> str:
    """Return the address of the Prefect API that the user chose; empty means the embedded server."""
    return os.environ.get("PREFECT_API_URL", "")


def mlflow_address() -> str:
    """Return the address of the MLflow that the user chose; empty means the embedded database."""
    return os.environ.get("MLFLOW_TRACKING_URI", "")


def secret(name: str) -> str:
    """Return a secret from the environment, since no settings file may hold one; empty where it is not set."""
    return os.environ.get(name, "")


def workers() -> tuple[tuple[str, ...], int] | None:
    """Return the workers of a distributed training, as TF_CONFIG names them.

    Returns:
        The addresses of all workers, and the number of this one; None where TF_CONFIG is not set.

    Raises:
        SettingsError: TF_CONFIG is not understood.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        return None
    try:
        tf_config = json.loads(text)
        addresses, number = tuple(map(str, tf_config["cluster"]["worker"])), int(tf_config["task"]["index"])
        fine = (
            set(tf_config["cluster"]) == {"worker"}
            and tf_config["task"]["type"] == "worker"
            and 0 <= number < len(addresses)
        )
    except (ValueError, KeyError, TypeError):
        fine = False
    if not fine:
        example = '{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}'
        raise SettingsError(f"TF_CONFIG does not name workers and one's own number: write it as {example}.")
    return addresses, number


def mlflow_pages(url: str) -> str:
    """Return where people see what MLflow keeps at this address, without a login; empty where there are no pages."""
    if url.startswith(_HTTP):
        # In a network of containers a server has a name that browsers outside do not know.
        pages = os.environ.get("PEDIGREE_MLFLOW_LINKS", "") or url
    else:
        pages = os.environ.get("PEDIGREE_MLFLOW_PAGES", "") if url == embedded_mlflow() else ""
    return re.sub("(?<=://)[^/?#]*@", "", pages) if pages.startswith(_HTTP) else ""


def embedded_mlflow() -> str:
    """Return the address of the database of the MLflow that runs inside Pedigree."""
    return f"sqlite:///{home() / 'mlflow.db'}"


@cache
def code_hash() -> str:
    """Return the SHA-256 of the sources that do the work of a run: two installations with the same one do the same."""
    root, total = Path(__file__).parent.parent, hashlib.sha256()
    for path in sorted(path for room in ("configs", "tasks") for path in (root / room).rglob("*.py")):
        total.update(path.relative_to(root).as_posix().encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


@cache
def code_version() -> Mapping[str, str]:
    """Return the git commit of the code, whether anything was changed since, and the hash of the lock file."""
    return {**read_commit(Path(__file__).parent.parent), "lock": lock_hash()}


@cache
def lock_hash() -> str:
    """Return the SHA-256 of the lock file that a checkout was installed from; elsewhere of the packages installed."""
    lock = Path(__file__).parent.parent / "infra" / "requirements.lock"
    if lock.is_file():
        return hashlib.sha256(lock.read_bytes()).hexdigest()
    # A wheel takes whatever fits. The names of these folders hold each package's version, and none of them is read.
    packages = {path.name for folder in sys.path for path in Path(folder or ".").glob("*.dist-info")}
    return hashlib.sha256("\n".join(sorted(packages)).encode()).hexdigest()


def read_commit(root: Path) -> Mapping[str, str]:
    """Read the commit of a checkout or a wheel, and whether its code was changed since.

    Args:
        root: The folder that holds the packages.

    Returns:
        Both, as a record of a model names them.
    """
    if (root / ".git").exists():
        # Photographs and settings files lie in many a checkout, and are no change of the code.
        dirty = "yes" if _git(root, "status", "--porcelain", "--", *_CODE) else "no"
        return {"git_commit": _git(root, "rev-parse", "HEAD") or "not a git checkout", "git_dirty": dirty}
    # hatch_build.py writes it into each wheel.
    built = root / "configs" / "commit.json"
    if built.is_file():
        return dict(json.loads(built.read_text(encoding="utf-8")))
    return {"git_commit": "not a git checkout", "git_dirty": "no"}


def _git(root: Path, *arguments: str) -> str:
    answer = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return answer.stdout.strip()


def absolute(url: str) -> str:
    """Return a path as an absolute one; an address stays as it is."""
    return url if "://" in url or not url else str(_absolute(Path(url)))


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except FileNotFoundError:
        raise SettingsError("The current folder does not exist any more: change to another one.") from None
    except RuntimeError:
        raise SettingsError(f"{path} begins with ~, and nobody knows that home folder: write it out.") from None


def _has_home() -> bool:
    """Tell whether this user has a home folder: a container's user without a name has none."""
    try:
        return bool(os.environ.get("HOME") or Path.home())
    except RuntimeError:
        return False
