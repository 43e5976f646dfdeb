"""The commands of ``pedigree backbone``: parse, delegate, and answer."""

import typer

from configs.load import read_settings
from flows.cli import backbone_tables as screens
from flows.cli.options import Changes, Config, Json, answer, sentences

app = typer.Typer(help="Look at the network that turns photographs into features.", no_args_is_help=True)


@app.callback()
def backbone() -> None:
    """Look at the network that turns photographs into features."""


@app.command()
def compare(config: Config, changes: Changes = None, as_json: Json = False) -> None:
    """Measure each cut of the backbone, and two together, on the photographs in the source, and say which is best.

    No test image is looked at, and of many photographs 2,000. Nothing is trained or decided; set backbone.cut yourself.
    """
    with sentences():
        from flows.runner import run_compare
        from tasks.features.choose_cut import with_chosen_cut

        settings = read_settings(config, changes or [])
        comparison = run_compare(settings)
        present_cut = with_chosen_cut(settings).backbone.cut
        answer({**comparison.to_dict(), "now": present_cut}, as_json, screens.cut_comparison(comparison, present_cut))
