"""The commands of the local servers: start, look at, open and stop them, and deploy what runs there."""

from pathlib import Path
from typing import Annotated

import typer

from configs.environment import home
from flows.cli import tables
from flows.cli.terminal import (
    Changes,
    Config,
    Json,
    print_answer,
    read_operations,
    read_settings,
    report_errors,
)

app = typer.Typer()
_PANEL = "Servers"


@app.command(rich_help_panel=_PANEL)
def up(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Deploy infra/prefect.yaml with it.")] = None,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Start the local Prefect, worker, MLflow and service; with settings, also deploy the flows."""
    with report_errors():
        from flows.demo import played_demo
        from infra import stack

        settings = read_settings(config, changes) if config else None
        operations = read_operations(config, changes) if config else None
        status = stack.up(home(), settings, operations, played_demo())
        print_answer(status.to_dict(), as_json, tables.render_stack(status))


@app.command("open", rich_help_panel=_PANEL)
def open_pages(as_json: Json = False) -> None:
    """Open the pages of the local Prefect and MLflow, logged in; each link that it prints works once."""
    with report_errors():
        from infra import stack
        from infra.local_stack.browser import open_in_browser

        links = stack.make_login_links(home())
        if not as_json:
            open_in_browser(home(), links)
        print_answer(links, as_json, tables.render_links(links))


@app.command(rich_help_panel=_PANEL)
def status(as_json: Json = False) -> None:
    """Show which parts of the local stack are running, and their addresses."""
    with report_errors():
        from infra import stack

        stack_status = stack.status(home())
        print_answer(stack_status.to_dict(), as_json, tables.render_stack(stack_status))


@app.command(rich_help_panel=_PANEL)
def down(as_json: Json = False) -> None:
    """Stop what pedigree up started; nothing that was stored is lost."""
    with report_errors():
        from infra import stack

        status = stack.down(home())
        print_answer(status.to_dict(), as_json, tables.render_stack(status))


@app.command(rich_help_panel=_PANEL)
def deploy(
    config: Config,
    changes: Changes = None,
    pool: Annotated[str, typer.Option("--pool", metavar="NAME", help="The work pool that runs them.")] = "pedigree",
    as_json: Json = False,
) -> None:
    """Deploy all of infra/prefect.yaml to the Prefect server that PREFECT_API_URL names."""
    with report_errors():
        from infra.orchestration import deployments

        names, left_alone = deployments.deploy_to_server(home(), read_settings(config, changes), pool)
        screen = "\n".join(
            [f"deployed for the pool {pool}: {', '.join(names)}", *tables.describe_left_alone(left_alone)]
        )
        print_answer({"deployments": names, "pool": pool, "left_alone": left_alone}, as_json, screen)


@app.command(rich_help_panel=_PANEL)
def notify(config: Config, changes: Changes = None, as_json: Json = False) -> None:
    """Let Prefect tell people how runs end, as the settings under notify say; pedigree up -c FILE does so too."""
    with report_errors():
        from infra import stack

        settings, operations = read_settings(config, changes), read_operations(config, changes)
        names = stack.notify(home(), settings, operations)
        print_answer({"automations": names}, as_json, "\n".join(names) or "Nobody is told: notify.channels is empty.")
