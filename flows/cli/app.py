"""The command line: parse a command, call what does the work, and print the result."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from configs.environment import home
from configs.errors import PedigreeError
from configs.load import read_operations, read_settings
from flows.cli import backbone, data, model, tables, terminal
from flows.cli.terminal import (
    Changes,
    Config,
    Json,
    StoreConfig,
    StoreUrl,
    choose_scale,
    choose_store,
    print_answer,
    report_errors,
)

app = typer.Typer(
    help="Keep an image classifier up to date: photographs in a bucket become a promoted model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(data.app, name="data")
app.add_typer(model.app, name="model")
app.add_typer(backbone.app, name="backbone")


@app.command()
def retrain(
    config: Config,
    changes: Changes = None,
    force: Annotated[bool, typer.Option("--force", help="Train also when nothing has changed.")] = False,
    as_of: Annotated[str, typer.Option("--as-of", metavar="DATE", help="Use the source as it was on that day.")] = "",
    as_json: Json = False,
) -> None:
    """Run the pipeline once: ingest the source, retrain where there is something new, and promote what is better."""
    with report_errors():
        from flows.runner import run_retrain

        outcome = run_retrain(read_settings(config, changes or []), force=force, as_of=as_of)
        print_answer(outcome.to_dict(), as_json, tables.render_outcome(outcome))


@app.command()
def reproduce(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A model version, champion, an MLflow run id, or a day: its champion."),
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
                f"Model version {reproduction.model_version} did not come out again: {reproduction.reason}."
            )


@app.command()
def worker(config: Config, changes: Changes = None, as_json: Json = False) -> None:
    """Take part in the fine-tuning of a run on another machine; TF_CONFIG names all workers."""
    with report_errors():
        from tasks.training.fine_tune import take_part

        dataset = take_part(read_settings(config, changes or []))
        print_answer({"dataset": dataset}, as_json, f"helped to fine-tune on version {dataset[:12]}")


@app.command()
def watch(
    config: Config,
    changes: Changes = None,
    once: Annotated[bool, typer.Option("--once", help="Poll once, instead of again and again.")] = False,
    as_json: Json = False,
) -> None:
    """Poll the source, and start the deployed retraining where uploads are a reason; each poll says why."""
    with report_errors():
        from flows.runner import poll_repeatedly

        settings = read_settings(config, changes or [])
        for poll_result in poll_repeatedly(settings, once=once):
            if not print_answer(poll_result.to_dict(), as_json, str(poll_result)):
                break


@app.command()
def deploy(
    config: Config,
    changes: Changes = None,
    pool: Annotated[str, typer.Option("--pool", metavar="NAME", help="The work pool that runs them.")] = "pedigree",
    as_json: Json = False,
) -> None:
    """Deploy all of infra/prefect.yaml to the Prefect server that PREFECT_API_URL names."""
    with report_errors():
        from infra.orchestration import deployments

        names, left_alone = deployments.deploy_to_server(home(), read_settings(config, changes or []), pool)
        screen = "\n".join(
            [f"deployed for the pool {pool}: {', '.join(names)}", *tables.describe_left_alone(left_alone)]
        )
        print_answer({"deployments": names, "pool": pool, "left_alone": left_alone}, as_json, screen)


@app.command("serve")
def serve_champion(
    config: StoreConfig = None,
    changes: Changes = None,
    store: StoreUrl = None,
    mlflow: Annotated[
        str, typer.Option("--mlflow", metavar="URL", help="Follow MLflow's alias, without a store.")
    ] = "",
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="The registered model, not tracking.model.")
    ] = "",
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Listen there, not on serve.host.")] = "",
    port: Annotated[int | None, typer.Option("--port", help="Listen on that port, not on serve.port.")] = None,
    as_json: Json = False,
) -> None:
    """Answer photographs over HTTP by the champion, and follow the decisions about who that is."""
    with report_errors():
        from flows.cli import serve

        options = serve.ServeOptions(config, changes or [], store or "", mlflow, model, host, port)
        serve.serve(options, as_json)


@app.command()
def demo(as_json: Json = False) -> None:
    """Run five nights with drawn dogs: a first model, better ones, one that is rejected, and nothing new."""
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


@app.command()
def up(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Deploy infra/prefect.yaml with it.")] = None,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Start the local Prefect, worker, MLflow and service, and deploy what runs there when settings are given."""
    with report_errors():
        from flows.demo import played_demo
        from infra import stack

        settings = read_settings(config, changes or []) if config else None
        operations = read_operations(config, changes or []) if config else None
        status = stack.up(home(), settings, operations, played_demo())
        print_answer(status.to_dict(), as_json, tables.render_stack(status))


@app.command()
def notify(config: Config, changes: Changes = None, as_json: Json = False) -> None:
    """Let Prefect notify people how runs end, as the section notify says; pedigree up -c FILE does it too."""
    with report_errors():
        from infra import stack

        settings, operations = read_settings(config, changes or []), read_operations(config, changes or [])
        names = stack.notify(home(), settings, operations)
        print_answer({"automations": names}, as_json, "\n".join(names) or "Nobody is told: notify.channels is empty.")


@app.command()
def down(as_json: Json = False) -> None:
    """Stop what pedigree up started; nothing that was stored is lost."""
    with report_errors():
        from infra import stack

        status = stack.down(home())
        print_answer(status.to_dict(), as_json, tables.render_stack(status))


@app.command("open")
def open_pages(as_json: Json = False) -> None:
    """Open the pages of the local Prefect and MLflow, logged in; each link that it prints works once."""
    with report_errors():
        from infra import stack
        from infra.local_stack.browser import open_in_browser

        links = stack.make_login_links(home())
        if not as_json:
            open_in_browser(home(), links)
        print_answer(links, as_json, tables.render_links(links))


@app.command()
def status(as_json: Json = False) -> None:
    """Show which parts of the local stack are running, and their addresses."""
    with report_errors():
        from infra import stack

        stack_status = stack.status(home())
        print_answer(stack_status.to_dict(), as_json, tables.render_stack(stack_status))


def main() -> None:
    """Run the command line; the installed program calls this."""
    terminal.prepare_streams()
    app()
