"""The password of the local stack: its owner alone can read it, and the stack's own servers alone are told it."""

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

#: The name beside the password, for clients that ask for one.
NAME = "pedigree"
_SERVERS = ("prefect", "mlflow")


def make_password(home: Path) -> None:
    """Make the password of this home's stack, where there is none yet."""
    with suppress(FileExistsError):
        handle = os.open(_file(home), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(32))


def forget_password(home: Path) -> None:
    """Remove the password, where the servers ask for others from now on."""
    _file(home).unlink(missing_ok=True)


def password(home: Path) -> str:
    """Read the password of this home's stack; nothing where there is none."""
    try:
        return _file(home).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def local_login(home: Path, url: str) -> str:
    """Return name:password where this address is one of the home's own servers; no other server may see it."""
    known = password(home) if any(_is_below(url, address) for address in _addresses(home)) else ""
    return f"{NAME}:{known}" if known else ""


def _addresses(home: Path) -> list[str]:
    found = []
    for name in _SERVERS:
        with suppress(OSError, ValueError, KeyError, TypeError):
            record = json.loads((home / "stack" / f"{name}.json").read_text(encoding="utf-8"))
            found.append(str(record["address"]))
    return found


def _is_below(url: str, address: str) -> bool:
    url = url.replace("://localhost:", "://127.0.0.1:")
    return bool(address) and (url == address or url.startswith(f"{address}/"))


def _file(home: Path) -> Path:
    return home / "stack" / "password"
