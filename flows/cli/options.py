"""How every command answers: its options, one sentence for what stopped it, and a screen or one JSON object."""

import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import RenderableType

from configs.addresses import shown
from configs.environment import absolute, home, prepare_environment
from configs.errors import PedigreeError, SettingsError
from configs.load import read_settings
from configs.visible_text import json_text, visible_lines
from flows.cli import streams

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Config = Annotated[Path, typer.Option("--config", "-c", help="The settings file, such as configs/nightly.yaml.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.SETTING=VALUE", help="Change one setting; may be given again."),
]

StoreConfig = Annotated[
    Path | None, typer.Option("--config", "-c", help="The settings file that names the store, as in retrain.")
]
StoreUrl = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="The store itself, where no settings file is at hand.")
]


@contextmanager
def sentences() -> Iterator[None]:
    """Turn whatever stops a command into one sentence and an exit code."""
    try:
        prepare_environment()
        yield
    except PedigreeError as problem:
        _fail(str(problem), problem.exit_code)
    except KeyboardInterrupt:
        _fail("Stopped. What was finished is kept, and the next run carries on from there.", 1)
    except Exception as error:  # noqa: BLE001 - the last line before a traceback on a user's screen
        _fail(_unexpected(error), 1)


def answer(plain: dict[str, Any], as_json: bool, screen: RenderableType) -> bool:  # noqa: FBT001 - the flag as it was given
    """Print the answer: one JSON object, or a screen for people; return False where nobody reads it any more."""
    if not as_json:
        return streams.write(streams.rendered(screen))
    text = json_text(plain)
    return streams.write(f"{text if streams.can_show(text) else json.dumps(plain)}\n")


def store_of(config: Path | None, changes: list[str] | None, store: str | None) -> str:
    """Name the store, by the settings or by itself."""
    if (config is None) == (not store) or (store and changes):
        raise SettingsError("Say which store to read: either -c FILE, with --set where needed, or --store URL.")
    return read_settings(config, changes or []).store.url if config else absolute(store or "")


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
