"""The command line: parse a command, call what does the work, and print the result."""

from typing import Annotated

import typer
from rich.console import Console

from configs.environment import home
from configs.errors import PedigreeError
from flows.cli import backbone, data, inbox, model, servers, tables, terminal
from flows.cli.answers import predict
from flows.cli.first_steps import docs, doctor, init
from flows.cli.help_page import hide_types, print_version
from flows.cli.terminal import (
    AsOf,
    Changes,
    Config,
    Json,
    StoreConfig,
    StoreUrl,
    choose_scale,
    choose_store,
    print_answer,
    read_settings,
    report_errors,
)

app = typer.Typer(
    help="Keep an image classifier up to date: turn labelled photographs into a model that serves.",
    epilog="pedigree docs PAGE shows a page such as docs/how-to/s3.md.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_FIRST, _RETRAINING, _ANSWERS, _STORE = "First steps", "Retraining", "Answers", "What the store holds"


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=print_version, help="Print version and commit.")
    ] = False,
) -> None:
    """Keep an image classifier up to date: turn labelled photographs into a model that serves."""


@app.command(rich_help_panel=_FIRST)
def demo(as_json: Json = False) -> None:
    """Play five runs with drawn dogs: a first model, better ones, one that is rejected, and nothing new."""
    with report_errors():
        from flows.demo import play, played_demo
        from infra import stack

        outcomes = []
        for act, outcome in play():
            if outcome is None:
                Console(stderr=True).rule(act.title)
            else:
                outcomes.append((act.title, outcome))
        plain = {title: outcome.to_dict() for title, outcome in outcomes}
        print_answer(plain, as_json, tables.render_demo(outcomes, home(), stack.service_address(home(), played_demo())))


@app.command(rich_help_panel=_RETRAINING)
def retrain(
    config: Config,
    changes: Changes = None,
    force: Annotated[bool, typer.Option("--force", help="Train even if nothing has changed.")] = False,
    as_of: AsOf = "",
    rehearse: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and stop before training; keep nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run the pipeline once: ingest the source, retrain if there is something new, and promote a better model."""
    with report_errors():
        if rehearse:
            from flows.runner import run_dry

            foreseen = run_dry(read_settings(config, changes), force=force, as_of=as_of)
            print_answer(foreseen.to_dict(), as_json, tables.render_dry_run(foreseen))
            return
        from flows.runner import run_retrain

        outcome = run_retrain(read_settings(config, changes), force=force, as_of=as_of)
        print_answer(outcome.to_dict(), as_json, tables.render_outcome(outcome))


@app.command(rich_help_panel=_RETRAINING)
def reproduce(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A model version, champion, an MLflow run id, or a day (its champion)."),
    ],
    from_pixels: Annotated[
        bool, typer.Option("--from-pixels", help="Compute the features again too, from the original bytes.")
    ] = False,
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Train a model again from its data, settings and seed, and compare it bit for bit (exit code 1: it differs)."""
    with report_errors():
        from flows.runner import run_reproduce

        opened, scale = choose_store(config, changes, store), choose_scale(config, changes)
        reproduction = run_reproduce(opened.url, model, scale, from_pixels=from_pixels)
        print_answer(reproduction.to_dict(), as_json, tables.render_reproduction(reproduction))
        if reproduction.verdict == "different":
            raise PedigreeError(
                f"Model version {reproduction.model_version} could not be reproduced: {reproduction.reason}."
            )


@app.command(rich_help_panel=_RETRAINING)
def worker(config: Config, changes: Changes = None, as_json: Json = False) -> None:
    """Take part in the fine-tuning of a run on another machine; TF_CONFIG names all workers."""
    with report_errors():
        from tasks.training.fine_tune import take_part

        dataset = take_part(read_settings(config, changes))
        print_answer({"dataset": dataset}, as_json, f"helped to fine-tune on version {dataset[:12]}")


@app.command(rich_help_panel=_RETRAINING)
def watch(
    config: Config,
    changes: Changes = None,
    once: Annotated[bool, typer.Option("--once", help="Poll once and stop.")] = False,
    as_json: Json = False,
) -> None:
    """Poll the source, and start the deployed retraining when enough has changed; each poll says why."""
    with report_errors():
        from flows.runner import poll_repeatedly

        settings = read_settings(config, changes)
        for poll_result in poll_repeatedly(settings, once=once):
            if not print_answer(poll_result.to_dict(), as_json, str(poll_result)):
                break


@app.command("serve", rich_help_panel=_ANSWERS)
def serve_champion(
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    mlflow: Annotated[
        str, typer.Option("--mlflow", metavar="URL", help="Follow MLflow's alias, without a store.")
    ] = "",
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="The registered model, if it is not tracking.model.")
    ] = "",
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Listen on this address instead of serve.host.")
    ] = "",
    port: Annotated[int | None, typer.Option("--port", help="Listen on this port instead of serve.port.")] = None,
    as_json: Json = False,
) -> None:
    """Answer photographs over HTTP with the champion, and follow each change of champion."""
    with report_errors():
        from flows.cli import serve

        options = serve.ServeOptions(config, changes or [], store or "", mlflow, model, host, port)
        serve.serve(options, as_json)


app.add_typer(init.app)
app.add_typer(doctor.app)
app.add_typer(docs.app)
app.add_typer(predict.app)
app.add_typer(data.app, name="data", rich_help_panel=_STORE)
app.add_typer(model.app, name="model", rich_help_panel=_STORE)
app.add_typer(backbone.app, name="backbone", rich_help_panel=_RETRAINING)
app.add_typer(inbox.app, name="inbox", rich_help_panel=_ANSWERS)
app.add_typer(servers.app)


def main() -> None:
    """Run the command line; the installed program calls this."""
    terminal.prepare_streams()
    command = typer.main.get_command(app)
    hide_types(command)
    command()
