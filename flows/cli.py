"""The command line: parse, delegate, and say in one sentence how it ended."""

import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from configs.load import home, prepare_environment, read_settings
from configs.problems import Problem
from flows import screens

app = typer.Typer(
    help="Keep an image classifier up to date: photographs in a bucket become a promoted model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
_Config = Annotated[Path, typer.Option("--config", "-c", help="The settings file, such as configs/nightly.yaml.")]
_Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.SETTING=VALUE", help="Change one setting; may be given again."),
]


@app.command()
def retrain(
    config: _Config,
    changes: _Changes = None,
    force: Annotated[bool, typer.Option("--force", help="Train also when nothing has changed.")] = False,
    as_of: Annotated[str, typer.Option("--as-of", metavar="DATE", help="Use the source as it was on that day.")] = "",
    as_json: _Json = False,
) -> None:
    """Run one night: look at the source, retrain where there is something new, promote what is better."""
    with _sentences():
        from flows.night import run_night

        outcome = run_night(read_settings(config, changes or []), force=force, as_of=as_of)
        _answer(outcome.plain(), as_json, screens.night(outcome))


@app.command()
def demo(as_json: _Json = False) -> None:
    """Play the story with drawn dogs: a first model, a better one, and a night with nothing new."""
    with _sentences():
        from flows.demo import play

        nights = []
        for act, outcome in play():
            if outcome is None:
                Console(stderr=True).rule(act.title)
            else:
                nights.append((act.title, outcome))
        _answer({title: outcome.plain() for title, outcome in nights}, as_json, screens.story(nights, home()))


@app.command()
def up(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Deploy the nightly run with it.")] = None,
    changes: _Changes = None,
    as_json: _Json = False,
) -> None:
    """Start the local Prefect server, worker and MLflow, and deploy the nightly run when settings are given."""
    with _sentences():
        from infra import stack

        settings = read_settings(config, changes or []) if config else None
        status = stack.up(home(), settings)
        _answer(status.plain(), as_json, screens.stack(status))


@app.command()
def down(as_json: _Json = False) -> None:
    """Stop what ``pedigree up`` started; nothing that was stored is lost."""
    with _sentences():
        from infra import stack

        status = stack.down(home())
        _answer(status.plain(), as_json, screens.stack(status))


@app.command()
def status(as_json: _Json = False) -> None:
    """Tell what of the local stack is running, and where to look at it."""
    with _sentences():
        from infra import stack

        now = stack.status(home())
        _answer(now.plain(), as_json, screens.stack(now))


@contextmanager
def _sentences() -> Iterator[None]:
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


def _fail(sentence: str, code: int) -> NoReturn:
    sys.stderr.write(f"{sentence}\n")
    raise typer.Exit(code)


def _unexpected(error: Exception) -> str:
    place = home() / "unexpected-error.txt"
    place.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return (
        f"Pedigree did not expect this error: {type(error).__name__}. The details are in {place}; please report them."
    )


def _answer(plain: dict[str, Any], as_json: bool, screen: object) -> None:
    if as_json:
        sys.stdout.write(json.dumps(plain, ensure_ascii=False) + "\n")
    else:
        Console().print(screen)
