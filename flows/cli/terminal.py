"""The terminal: common options, answers as tables or JSON, errors as sentences, and streams that do not break."""

import io
import json
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO

import typer
from rich.console import Console, RenderableType
from rich.segment import Segment, Segments

from configs.environment import absolute, home, prepare_environment
from configs.errors import PedigreeError, SettingsError
from configs.visible_text import json_text, shown, visible_lines
from flows.cli.pager import page

if TYPE_CHECKING:
    from configs.schema import Settings
    from configs.sections import Scale
    from configs.servers import Operations
    from tasks.engine.engine import Engine
    from tasks.stores.store import Store


def prepare_streams() -> None:
    """Set up standard output and error so that any character can be printed, and a reader that goes away is no error.

    A closed stream is replaced by one that discards everything: otherwise the next file opened would take its number.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or _opened(io.FileIO(1, "w", closefd=False), "utf-8")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.stderr = _opened(_Patient(2, "w", closefd=False), sys.stderr.encoding if sys.stderr else "utf-8")


def render(screen: RenderableType) -> str:
    """Render a screen as text for standard output; a string is one line, however long."""
    terminal, paper = Console(), io.StringIO()
    # Markup and emoji are off, since class names may hold brackets and colons.
    console = Console(file=paper, force_terminal=terminal.is_terminal, width=terminal.width, markup=False, emoji=False)
    if isinstance(screen, str):
        console.print(visible_lines(screen), soft_wrap=True)
    else:
        console.print(Segments([_visible(segment) for segment in console.render(screen)]), crop=False)
    return paper.getvalue()


def _visible(segment: Segment) -> Segment:
    return segment if segment.control else Segment(visible_lines(segment.text), segment.style)


def can_show(text: str) -> bool:
    """Return whether standard output can encode all of these characters."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def write(text: str) -> bool:
    """Write text to standard output.

    Returns:
        False where nobody reads it any more, which is no failure.

    Raises:
        PedigreeError: It cannot be written, as on a full disk.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        return False
    except OSError as error:
        _silence()
        raise PedigreeError(
            f"The answer cannot be written ({error.strerror}); the command itself was carried out."
        ) from None
    return True


class _Patient(io.FileIO):
    """A raw stream whose reader may go away: what cannot be written is dropped."""

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def _opened(raw: io.FileIO, encoding: str) -> TextIO:
    buffer = io.BufferedWriter(raw)
    return io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=True, write_through=True)


def _silence() -> None:
    """Discard what is still buffered: Python would fail on it when it exits."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def complete_setting(incomplete: str) -> list[str]:
    """Return the settings whose names begin with these letters, for the shell to complete."""
    from configs.load import list_leaves
    from configs.schema import Settings
    from configs.servers import Operations

    leaves = [*list_leaves(Settings), *list_leaves(Operations)]
    return [name for leaf in leaves if (name := f"{'.'.join(leaf.path)}=").startswith(incomplete)]


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Config = Annotated[Path, typer.Option("--config", "-c", help="The settings file; pedigree init writes one.")]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.SETTING=VALUE",
        help="Change one setting; may be repeated.",
        autocompletion=complete_setting,
    ),
]

AsOf = Annotated[str, typer.Option("--as-of", metavar="DATE", help="Use the source as it was on that day.")]
NewFolder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make; it may exist if it is empty.")]
All = Annotated[bool, typer.Option("--all", help="Show every entry instead of the first or newest 20.")]
#: The most entries of a list that a screen shows without --all; --json has all.
MOST = 20

StoreConfig = Annotated[
    Path | None, typer.Option("--config", "-c", help="The settings file that names the store, as in retrain.")
]
StoreUrl = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="The store's address, if you have no settings file.")
]


@contextmanager
def report_errors() -> Iterator[None]:
    """Prepare the environment for a command, and turn whatever stops it into one sentence and an exit code."""
    try:
        prepare_environment()
        yield
    except PedigreeError as problem:
        _fail(str(problem), problem.exit_code)
    except KeyboardInterrupt:
        _fail("Stopped. What was finished is kept, and the next run carries on from there.", 1)
    except Exception as error:  # noqa: BLE001 - the last line before a traceback on a user's screen
        _fail(_unexpected(error), 1)


def print_answer(plain: dict[str, Any], as_json: bool, screen: RenderableType, *, paged: bool = False) -> bool:  # noqa: FBT001 - the flag as it was given
    """Print the answer of a command.

    Args:
        plain: The answer as a JSON object.
        as_json: Print that and nothing else.
        screen: The answer for people.
        paged: Show it in a pager where it is longer than the terminal.

    Returns:
        False where nobody reads it any more.
    """
    if not as_json:
        text = render(screen)
        return (paged and page(text)) or write(text)
    text = json_text(plain)
    return write(f"{text if can_show(text) else json.dumps(plain)}\n")


def read_settings(config: Path, changes: Sequence[str] | None = None) -> "Settings":
    """Read the settings of a file, with changes; what only prints help waits for no schema.

    Args:
        config: The settings file.
        changes: Changes such as ``training.seed=5``, if any.

    Returns:
        The settings.
    """
    from configs import load

    return load.read_settings(config, changes or ())


def read_operations(config: Path, changes: Sequence[str] | None) -> "Operations":
    """Read what a settings file says of servers, with changes; what only prints help waits for no schema.

    Args:
        config: The settings file.
        changes: Changes such as ``serve.port=8081``, if any.

    Returns:
        The settings of servers.
    """
    from configs import load

    return load.read_operations(config, changes or ())


def choose_store(config: Path | None, changes: list[str] | None, store: str | None) -> "Store":
    """Return the store that a command is to read.

    Args:
        config: The settings file.
        changes: Changes of its settings.
        store: The address itself, instead of a settings file.

    Returns:
        The store; nothing of it is read yet.

    Raises:
        SettingsError: Neither or both are given, or the settings are wrong.
    """
    if (config is None) == (not store) or (store and changes):
        raise SettingsError("Say which store to read: either -c FILE, with --set where needed, or --store URL.")
    from tasks.stores.store import Store

    return Store(read_settings(config, changes).store.url if config else absolute(store or ""))


def choose_most(everything: bool) -> int:  # noqa: FBT001 - the flag as it was given
    """Return how many entries of a list a screen shows: all that there are, where everything is asked for."""
    return sys.maxsize if everything else MOST


def choose_scale(config: Path | None, changes: list[str] | None) -> "Scale":
    """Return where long work is done.

    Args:
        config: The settings file; without one this process does all.
        changes: Changes of its settings.

    Returns:
        The section of the settings.
    """
    from configs.sections import Scale

    return read_settings(config, changes).scale if config else Scale()


def choose_engine(config: Path | None, changes: list[str] | None) -> "Engine":
    """Return what does long work: this process, or the workers that a settings file names.

    Args:
        config: The settings file; without one this process does all.
        changes: Changes of its settings.

    Returns:
        The engine.
    """
    from tasks.engine.engine import open_engine

    return open_engine(choose_scale(config, changes), lambda line: print(visible_lines(line), file=sys.stderr))  # noqa: T201 - a note for people


def _fail(sentence: str, code: int) -> NoReturn:
    sys.stderr.write(f"{visible_lines(shown(sentence))}\n")
    raise typer.Exit(code)


def _unexpected(error: Exception) -> str:
    details = shown("".join(traceback.format_exception(error)))
    begin = f"Pedigree did not expect this error: {type(error).__name__}."
    try:
        path = home() / "unexpected-error.txt"
        path.write_text(details, encoding="utf-8", errors="backslashreplace")
    except (OSError, PedigreeError):
        return f"{details}{begin} The details are above; please report them."
    return f"{begin} The details are in {path}; please report them."
