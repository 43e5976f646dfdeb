"""The command ``pedigree predict``, and the table that it prints."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from configs.errors import PedigreeError
from configs.visible_text import visible
from flows.cli.terminal import (
    Changes,
    Json,
    StoreConfig,
    StoreUrl,
    choose_store,
    print_answer,
    read_settings,
    report_errors,
)
from tasks.domain.phrasing import count

if TYPE_CHECKING:
    from tasks.domain.serving.answers import ModelIdentity
    from tasks.service.predicting import FilePrediction

app = typer.Typer()
_NEVER_SURE = (
    "It is never sure, since too few images were held out, or too many of them answered wrongly, to promise anything: "
    "each answer is its best guess. More photographs help."
)


@app.command(rich_help_panel="Answers")
def predict(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Photographs, or folders of them.", show_default=False)
    ],
    version: Annotated[
        str, typer.Option("--version", metavar="VERSION", help="Ask this model version instead of the champion.")
    ] = "",
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Classify photographs with the champion, bit for bit as the service does (exit code 1: some have no answer)."""
    with report_errors():
        from configs.schema import Tracking
        from tasks.domain.training.calibration import NEVER
        from tasks.reports.prefect_ui.pace_bar import show_pace
        from tasks.service.models.store_models import StoreModels
        from tasks.service.predicting import list_photographs, open_model, predict_files

        photographs = list_photographs(files)
        tracking = read_settings(config, changes).tracking if config else Tracking()
        models = StoreModels(choose_store(config, changes, store), tracking.model)
        with open_model(models, version) as model, show_pace("predict", len(photographs), "photographs") as advance:
            predictions = []
            for prediction in predict_files(model, photographs):
                predictions.append(prediction)
                advance(1)
        answered = describe_predictions(model.identity, predictions)
        screen = render_predictions(model.identity, predictions, never_sure=model.head.threshold >= NEVER)
        print_answer(answered, as_json, screen, paged=True)
        if answered["unanswered"]:
            raise PedigreeError(describe_unanswered(answered["unanswered"], len(predictions)))


def describe_unanswered(unanswered: int, files: int) -> str:
    """Describe in a sentence how many files have no answer.

    Args:
        unanswered: How many have none.
        files: How many were asked about.

    Returns:
        The sentence.
    """
    sentence = f"{count(unanswered, 'file')} of {files:,} cannot be used as a photograph"
    return f"{sentence}." if unanswered == files else f"{sentence}; all others have an answer."


def describe_predictions(model: "ModelIdentity", predictions: Sequence["FilePrediction"]) -> dict[str, Any]:
    """Return predictions as JSON can hold them.

    Args:
        model: The model that made them.
        predictions: One a file.

    Returns:
        The model, the predictions, and how many files have no answer.
    """
    return {
        "model": model.to_dict(),
        "predictions": [prediction.to_dict() for prediction in predictions],
        "unanswered": sum(prediction.prediction.label is None for prediction in predictions),
    }


def render_predictions(
    model: "ModelIdentity", predictions: Sequence["FilePrediction"], *, never_sure: bool = False
) -> RenderableType:
    """Render one line a file: the class and its probability, *I don't know*, or why there is no answer.

    Args:
        model: The model that made the predictions.
        predictions: One a file.
        never_sure: Whether the model may promise nothing, so that it says *I don't know* to everything.

    Returns:
        The table, and below it which model answered.
    """
    table = Table("file", "answer", box=None, padding=(0, 1), pad_edge=False)
    table.add_column("probability", justify="right")
    for prediction in predictions:
        table.add_row(Text(visible(prediction.file), overflow="fold"), *_answer(prediction))
    by = f"\nBy {visible(model.name)} {model.short}, trained on version {model.dataset[:12]}."
    return Group(table, Text(f"{by} {_NEVER_SURE}" if never_sure else by))


def _answer(prediction: "FilePrediction") -> tuple[Text, str]:
    answer = prediction.prediction
    if answer.label is None or answer.probability is None:
        return Text(f"no answer: {visible(answer.problem)}", "red"), ""
    if answer.sure:
        return Text(visible(answer.label), "green"), f"{answer.probability:.3f}"
    return Text(f"I don't know: perhaps {visible(answer.label)}", "yellow"), f"{answer.probability:.3f}"
