"""The command ``pedigree init``: a settings file from four answers."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from configs.errors import PedigreeError, SettingsError
from flows.cli.terminal import (
    Json,
    print_answer,
    read_settings,
    report_errors,
)

if TYPE_CHECKING:
    from configs.schema import Settings

app = typer.Typer()


@app.command(rich_help_panel="First steps")
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The settings file to write.")] = Path("settings.yaml"),
    source: Annotated[str, typer.Option("--source", metavar="PLACE", help="Where the photographs are.")] = "",
    labels: Annotated[
        str, typer.Option("--labels", metavar="WAY", help="How they are labelled: folders, 'manifest FILE', metadata.")
    ] = "",
    store: Annotated[str, typer.Option("--store", metavar="PLACE", help="Where Pedigree may write.")] = "",
    backbone: Annotated[
        str, typer.Option("--backbone", metavar="WEIGHTS", help="imagenet, the path of a weights file, demo or random.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing, and use the defaults of what is not given.")] = False,
    as_json: Json = False,
) -> None:
    """Ask four questions and write a settings file: where photographs are, their labels, the store, the backbone."""
    with report_errors():
        from configs.json_schema import SCHEMA_FILE
        from flows.cli.first_steps.questions import Given, answer_questions
        from flows.cli.first_steps.settings_text import write_settings_text

        _refuse_existing(file)
        answers = answer_questions(Given(source, labels, store, backbone, yes))
        text = write_settings_text(answers, str(SCHEMA_FILE), f"pedigree retrain -c {file}")
        settings = _validate(text)
        _create(file, text)
        plain = {"file": str(file), "settings": settings.model_dump(mode="json")}
        print_answer(plain, as_json, Text(_describe_next_steps(file)))


def _refuse_existing(file: Path) -> None:
    if os.path.lexists(file):
        raise SettingsError(f"{file} exists, and is not overwritten: name another file, or remove it.")


def _validate(text: str) -> "Settings":
    """Return the settings that the text holds; raise SettingsError where it holds none, and nothing is written then."""
    with TemporaryDirectory() as folder:
        draft = Path(folder, "settings.yaml")
        draft.write_text(text, encoding="utf-8")
        try:
            return read_settings(draft)
        except SettingsError as error:
            raise SettingsError(str(error).replace(str(draft), "The answers")) from None


def _create(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        _refuse_existing(file)
    except OSError as error:
        raise PedigreeError(f"The file {file} cannot be written ({error.strerror}): name another place.") from error


def _describe_next_steps(file: Path) -> str:
    commands = {
        f"pedigree doctor -c {file}": "is everything ready for a run?",
        f"pedigree retrain -c {file} --dry-run": "what would a run do?",
        f"pedigree retrain -c {file}": "train the first model",
        f"pedigree predict -c {file} PHOTO.jpg": "what does the model say?",
    }
    width = max(map(len, commands))
    lines = [f"  {command:<{width}}   {meaning}" for command, meaning in commands.items()]
    return "\n".join([f"{file} is written. Next:", *lines])
