"""The service of the local stack: whose champion answers, kept for the next start, and how its process is started."""

import ipaddress
import sys
from pathlib import Path

from pydantic import Field, ValidationError

from configs.schema import Settings, Tracking
from configs.sections import Section
from configs.servers import Inbox, Operations, Serve
from infra.local_stack import processes
from infra.local_stack.processes import Background
from infra.local_stack.servers import listen_again, port_file, stack_environment
from tasks.service.web.access import check_address, read_keys

# -P: a folder named infra in the current folder must not be imported.
_COMMAND = [sys.executable, "-P", "-m", "infra.local_stack.serve_champion"]
# What a service may take to stop beside its draining: it finishes what it has taken on.
_FINISHING = 35  # seconds


class Served(Section):
    """Whose champion the service answers with, and how; nothing in it is secret."""

    store: str = Field(description="Address of the store.")
    tracking: Tracking = Field(
        default=Tracking(), description="The model that answers repeat, and where days are kept."
    )
    serve: Serve = Field(default=Serve(), description="How it answers.")
    inbox: Inbox = Field(default=Inbox(), description="Where photographs are kept whose senders agreed.")
    source: str = Field(default="", description="Address of the source, which the inbox is no part of.")


def choose_served(home: Path, settings: Settings | None, operations: Operations | None) -> Served | None:
    """Choose whose champion is to answer: that of the settings, or else that of the last start.

    Args:
        home: The home folder.
        settings: The settings of a retraining, which name the store; None where none are given.
        operations: The settings of the servers.

    Returns:
        The choice; None where no store was ever named.

    Raises:
        SettingsError: Others could reach the service without a key.
    """
    if settings:
        operations = operations or Operations()
        served: Served | None = Served(
            store=settings.store.url,
            tracking=settings.tracking,
            serve=operations.serve,
            inbox=operations.inbox,
            source=settings.source.url,
        )
    else:
        served = read_served(home)
    if served:
        check_address(served.serve.host, read_keys())
    return served


def read_served(home: Path) -> Served | None:
    """Return whose champion the service answers with, as it was started last; None where it never was."""
    try:
        return Served.model_validate_json(_file(home).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def start_service(record: Path, home: Path, served: Served) -> Background:
    """Start the service on a free port, and keep what it serves for the next start.

    Args:
        record: The file that records the process.
        home: The home folder.
        served: Whose champion answers.

    Returns:
        The process, with the service's address.
    """
    before = read_served(home)
    if before and (before.serve.host, before.serve.port) != (served.serve.host, served.serve.port):
        port_file(record).unlink(missing_ok=True)
    listener = listen_again(record, served.serve.port, served.serve.host)
    host, port = listener.getsockname()[:2]
    _file(home).write_text(served.model_dump_json(), encoding="utf-8")
    command = [*_COMMAND, str(listener.fileno()), str(_file(home))]
    return processes.start(record, command, stack_environment(home), f"http://{_reached_as(host)}:{port}", listener)


def stop_service(record: Path, home: Path) -> None:
    """Stop the service: it goes on for its draining time, and finishes what it has taken on.

    Args:
        record: The file that records the process.
        home: The home folder.
    """
    served = read_served(home)
    processes.stop(record, (served.serve.drain_seconds if served else 0) + _FINISHING)


def _file(home: Path) -> Path:
    return home / "stack" / "served.json"


def _reached_as(host: str) -> str:
    """Return by which address this machine itself reaches a service that listens there."""
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"  # noqa: PLR2004 - the versions' own numbers
    return f"[{host}]" if ":" in host else host
