"""Credentials for Prefect and MLflow: from the environment or, for the local stack's servers, its password file."""

import json
import os
import secrets
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

from configs.environment import home, secret

#: The name beside the password, for clients that ask for one.
NAME = "pedigree"
_SERVERS = ("prefect", "mlflow")


def make_password(home_folder: Path) -> None:
    """Create the password of this home's stack, where there is none yet."""
    if read_password(home_folder):
        return
    partial = _file(home_folder).with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(secrets.token_urlsafe(32), encoding="utf-8")
    partial.replace(_file(home_folder))  # A crash here leaves no half of a password.


def forget_password(home_folder: Path) -> None:
    """Remove the password of this home's stack, if there is one."""
    _file(home_folder).unlink(missing_ok=True)


def read_password(home_folder: Path) -> str:
    """Return the password of this home's stack; empty where there is none."""
    try:
        return _file(home_folder).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def local_login(home_folder: Path, url: str) -> str:
    """Return the login for one of the home's own servers; no other server may see it.

    Args:
        home_folder: The home folder.
        url: The server's address.

    Returns:
        ``name:password``; empty for any other server.
    """
    stack_password = (
        read_password(home_folder) if any(_is_below(url, address) for address in _addresses(home_folder)) else ""
    )
    return f"{NAME}:{stack_password}" if stack_password else ""


def local_prefect(home_folder: Path) -> str:
    """Return the address of the API of the home's own Prefect, which may just be down; empty where there is none."""
    address = _address(home_folder, _SERVERS[0])
    return f"{address}/api" if address else ""


def local_mlflow(home_folder: Path) -> str:
    """Return the address of the home's own MLflow, which may just be down; empty where there is none."""
    return _address(home_folder, _SERVERS[1])


def prefect_login(home_folder: Path, url: str) -> dict[str, str]:
    """Build the HTTP header that logs in to the Prefect at this address.

    Args:
        home_folder: The home folder, whose own servers know its password.
        url: Prefect's address.

    Returns:
        The header; empty where neither home nor environment has credentials.
    """
    if name_and_password := local_login(home_folder, url) or secret("PREFECT_API_AUTH_STRING"):
        return _basic(name_and_password)
    key = secret("PREFECT_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}


def mlflow_login(home_folder: Path, url: str) -> dict[str, str]:
    """Build the HTTP header that logs in to the MLflow at this address.

    Args:
        home_folder: The home folder, whose own servers know its password.
        url: MLflow's address.

    Returns:
        The header; empty where neither home nor environment has credentials.
    """
    if local := local_login(home_folder, url):
        return _basic(local)
    name, word = secret("MLFLOW_TRACKING_USERNAME"), secret("MLFLOW_TRACKING_PASSWORD")
    return _basic(f"{name}:{word}") if name and word else {}


def set_prefect_login(url: str) -> None:
    """Set the variable by which Prefect's clients here and in child processes log in to the local server."""
    if login := local_login(home(), url):
        os.environ["PREFECT_API_AUTH_STRING"] = login


def set_mlflow_login(url: str) -> None:
    """Set the variables by which MLflow's clients here and in child processes log in to the local server."""
    if login := local_login(home(), url):
        os.environ["MLFLOW_TRACKING_USERNAME"], _, os.environ["MLFLOW_TRACKING_PASSWORD"] = login.partition(":")


def _basic(name_and_password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(name_and_password.encode()).decode()}"}


def _addresses(home_folder: Path) -> list[str]:
    return [address for name in _SERVERS if (address := _address(home_folder, name))]


def _address(home_folder: Path, name: str) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((home_folder / "stack" / f"{name}.json").read_text(encoding="utf-8"))["address"])
    return ""


def _is_below(url: str, address: str) -> bool:
    url = url.replace("://localhost:", "://127.0.0.1:")
    return bool(address) and (url == address or url.startswith(f"{address}/"))


def _file(home_folder: Path) -> Path:
    return home_folder / "stack" / "password"
