"""How every command answers: its options, one sentence for what stopped it, and a screen or one JSON object."""

import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from configs.load import absolute, home, prepare_environment, read_settings
from configs.problems import Problem, SettingsProblem

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
    except Problem as problem:
        _fail(str(problem), problem.exit_code)
    except KeyboardInterrupt:
        _fail("Stopped. What was finished is kept, and the next run carries on from there.", 1)
    except Exception as error:  # noqa: BLE001 - the last line before a traceback on a user's screen
        _fail(_unexpected(error), 1)


def answer(plain: dict[str, Any], as_json: bool, screen: object) -> None:  # noqa: FBT001 - the flag as it was given
    """Print the answer: one JSON object, or a screen for people; a sentence is one line, however long."""
    if as_json:
        sys.stdout.write(json.dumps(plain, ensure_ascii=False) + "\n")
    else:
        Console().print(screen, soft_wrap=isinstance(screen, str))


def store_of(config: Path | None, changes: list[str] | None, store: str | None) -> str:
    """Name the store, by the settings or by itself."""
    if (config is None) == (store is None) or (store and changes):
        raise SettingsProblem("Say which store to read: either -c FILE, with --set where needed, or --store URL.")
    return read_settings(config, changes or []).store.url if config else absolute(store or "")


def _fail(sentence: str, code: int) -> NoReturn:
    sys.stderr.write(f"{sentence}\n")
    raise typer.Exit(code)


def _unexpected(error: Exception) -> str:
    place = home() / "unexpected-error.txt"
    place.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return (
        f"Pedigree did not expect this error: {type(error).__name__}. The details are in {place}; please report them."
    )
