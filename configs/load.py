"""Reading settings files and the environment, the only place that does either."""

import difflib
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from configs.addresses import shown
from configs.errors import PedigreeError, SettingsError
from configs.schema import RETIRED, Settings, Tracking
from configs.sections import Section
from configs.servers import Operations
from configs.yaml_text import LONGEST, read_yaml

S = TypeVar("S", bound=Section)

# So many characters of what somebody wrote are repeated.
_SHOWN = 100
_NUMBER = re.compile(r"[-+.\d][-+.:\w]*")

# Nothing may call home, and a first start of the embedded Prefect server takes longer than Prefect's default allows.
_QUIET = {
    "DO_NOT_TRACK": "1",
    "LANCE_LOG": "error",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # Other kernels give other bits, and TensorFlow reads this when it is first imported, by whomever.
    "TF_ENABLE_ONEDNN_OPTS": "1",
}


def home() -> Path:
    """Name the folder for what Pedigree keeps on this machine: PEDIGREE_HOME, or .pedigree in the current folder."""
    return _absolute(Path(os.environ.get("PEDIGREE_HOME") or ".pedigree"))


def prepare_environment(**extra: str) -> None:
    """Set what Prefect, MLflow and TensorFlow read when they are first imported, where the user has not set it."""
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
    """Raise PedigreeError where the home folder cannot be written, which Prefect and MLflow need."""
    if not os.access(home(), os.W_OK | os.X_OK):
        raise PedigreeError(f"Pedigree's home folder {home()} cannot be written: set PEDIGREE_HOME to one that can.")


def prefect_address() -> str:
    """Name the Prefect API that the user chose, or nothing when the embedded one serves."""
    return os.environ.get("PREFECT_API_URL", "")


def secret(name: str) -> str:
    """Read what no settings file may hold; nothing where the environment does not say."""
    return os.environ.get(name, "")


def workers() -> tuple[tuple[str, ...], int] | None:
    """Return the addresses of all workers and our own number, as TF_CONFIG says; nothing where it is not set."""
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


def read_settings(path: Path, changes: Sequence[str] = ()) -> Settings:
    """Read a settings file and apply changes such as ``training.seed=1``; raise SettingsError for what is wrong."""
    values = _changed(path, changes)
    operations = _operations(values, path)
    settings = parse(
        {name: section for name, section in values.items() if name not in Operations.model_fields}, str(path)
    )
    if not settings.tracking.url and (operations.servers.mlflow_database or operations.servers.authentication):
        message = f"{path}: servers needs tracking.url: set it to MLflow's address, such as http://127.0.0.1:5000."
        raise SettingsError(message)
    _note_retired(values, path)
    return resolve(settings)


def _note_retired(values: Mapping[str, Any], path: Path) -> None:
    if named := sorted(RETIRED & set(values.get("training") or {})):
        names = " and ".join(f"training.{name}" for name in named)
        sys.stderr.write(
            f"{path}: {names} changed nothing: a head is fitted to its optimum now. Leave it out; fine_tuning has"
            " epochs, batch and learning_rate of its own.\n"
        )


def read_operations(path: Path, changes: Sequence[str] = ()) -> Operations:
    """Read what the same file says to the servers; raise SettingsError for what is wrong."""
    operations = _operations(_changed(path, changes), path)
    servers = operations.servers.model_copy(update={"artifacts": absolute(operations.servers.artifacts)})
    return operations.model_copy(update={"servers": servers})


def parse(values: object, origin: str) -> Settings:
    """Turn plain values into settings; raise SettingsError naming the origin and the first wrong setting."""
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise _settings_error(origin, error) from None


def parse_section(section: type[S], path: tuple[str, ...], values: Mapping[str, Any]) -> S:
    """Turn what a form holds into a section, or all of them where the place is empty, as ``parse`` does."""
    fields: Any = values
    for name in path:
        fields = fields.get(name, {})
    try:
        return section.model_validate(fields)
    except ValidationError as error:
        raise _settings_error("The form", error, path) from None


def _settings_error(origin: str, error: ValidationError, path: tuple[str, ...] = ()) -> SettingsError:
    first = error.errors(include_url=False)[0]
    return SettingsError(f"{origin}: {_explain({**first, 'loc': (*path, *first['loc'])})}")


def resolve(settings: Settings) -> Settings:
    """Make every path absolute and name the embedded MLflow database where no MLflow address is set."""
    backbone = settings.backbone
    weights = absolute(backbone.weights) if backbone.is_file else backbone.weights
    changes = {
        "source": settings.source.model_copy(update={"url": absolute(settings.source.url)}),
        "store": settings.store.model_copy(update={"url": absolute(settings.store.url)}),
        "tracking": resolve_tracking(settings.tracking),
        "backbone": backbone.model_copy(update={"weights": weights}),
    }
    return settings.model_copy(update=changes)


def resolve_tracking(tracking: Tracking) -> Tracking:
    """Name the embedded MLflow database where no MLflow address is set."""
    return tracking.model_copy(update={"url": tracking.url or _embedded_mlflow()})


def mlflow_pages(url: str) -> str:
    """Name the MLflow server whose pages show what is kept at this address; empty where no server does."""
    if url.startswith(("http://", "https://")):
        return url
    return os.environ.get("PEDIGREE_MLFLOW_PAGES", "") if url == _embedded_mlflow() else ""


def _embedded_mlflow() -> str:
    return f"sqlite:///{home() / 'mlflow.db'}"


@cache
def code_version() -> Mapping[str, str]:
    """Tell the git commit of the code, whether the checkout was dirty, and the hash of the lock file."""
    root = Path(__file__).parent.parent
    commit = _git(root, "rev-parse", "HEAD") or "not a git checkout"
    dirty = "yes" if _git(root, "status", "--porcelain") else "no"
    return {"git_commit": commit, "git_dirty": dirty, "lock": lock_hash()}


def lock_hash() -> str:
    """Hash the lock file that this installation was made from."""
    return hashlib.sha256((Path(__file__).parent.parent / "infra" / "requirements.lock").read_bytes()).hexdigest()


def _git(root: Path, *arguments: str) -> str:
    if not (root / ".git").exists():
        return ""
    answer = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return answer.stdout.strip()


def absolute(url: str) -> str:
    """Make a path independent of the current folder; an address stays as it is."""
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


def _changed(path: Path, changes: Sequence[str]) -> dict[str, Any]:
    values = _read_yaml(path)
    for change in changes:
        _apply(values, change)
    return values


def _operations(values: Mapping[str, Any], path: Path) -> Operations:
    try:
        return Operations.model_validate(
            {name: section for name, section in values.items() if name in Operations.model_fields}
        )
    except ValidationError as error:
        raise SettingsError(f"{path}: {_explain(error.errors(include_url=False)[0])}") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(LONGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        message = f"The settings file {path} cannot be read: {reason}."
        raise SettingsError(message) from None
    values = read_yaml(text, f"The settings file {path}")
    if not isinstance(values, dict):
        message = f"The settings file {path} must hold sections such as source: and store:, see configs/nightly.yaml."
        raise SettingsError(message)
    return values


def _apply(values: dict[str, Any], change: str) -> None:
    name, equals, text = change.partition("=")
    section, dot, setting = name.partition(".")
    if not (equals and dot and isinstance(values.setdefault(section, {}), dict)):
        message = f"--set {shown(change[:_SHOWN])}: write it as section.setting=value, such as training.seed=1."
        raise SettingsError(message)
    value = read_yaml(text, f"--set {name[:_SHOWN]}")
    if value is None:
        raise SettingsError(f"--set {name[:_SHOWN]}= has no value: write one, or '' for none.")
    values[section][setting] = value


def _explain(error: ErrorDetails) -> str:
    path = [str(part) for part in error["loc"]]
    name = ".".join(path)
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, [*_names(Settings), *_names(Operations)], n=1)
        return f"there is no setting {name}" + (f"; did you mean {near[0]}?" if near else ".")
    if error["type"] == "missing":
        return f"the setting {name} is missing."
    if error["type"] == "secret":
        return f"{name} {error['msg']}."
    if error["type"] == "value_error":
        return f"{error['ctx']['error']}."
    wrong = f"{name} = {_shown(error['input'])} is not allowed: {error['msg'][0].lower()}{error['msg'][1:]}"
    choices = re.findall("'([^']*)'", str(error["ctx"]["expected"])) if error["type"] == "literal_error" else []
    near = difflib.get_close_matches(str(error["input"]), choices, n=1)
    return f"{wrong}; did you mean {near[0]}?" if near else f"{wrong}."


def _shown(value: object) -> str:
    """Write what stands in the settings: numbers as they are, words in quotes, and of much only the beginning."""
    text = shown(value if isinstance(value, str) and _NUMBER.fullmatch(value) else repr(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _names(field.annotation, f"{prefix}{name}.")
