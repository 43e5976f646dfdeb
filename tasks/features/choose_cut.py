"""A first night's step: measure the cuts of the backbone, and choose what ``backbone.cut: auto`` means from then on."""

from configs import schema
from configs.load import parse
from tasks.domain.datasets.manifest import Dataset
from tasks.features.compare_cuts import measure_cuts
from tasks.features.embedding import join_workers
from tasks.step import say, step
from tasks.stores.files.cut_choices import CutChoice, keep_choice, read_choice
from tasks.stores.files.ledger import Ledger
from tasks.stores.files.records import read_record


@step(hours=24, logged=False)
def choose(dataset: Dataset, settings: schema.Settings) -> schema.Settings:
    """Measure each cut, keep the choice in the store, say it, and return the settings with that cut."""
    from tasks.modeling.backbone.backbone import DEMO_CUT

    join_workers(settings)
    store, backbone = settings.store.url, settings.backbone
    if backbone.weights == "demo":
        choice = keep_choice(store, backbone, DEMO_CUT, "the demo's weights end there", {})
    else:
        compared = measure_cuts(dataset.hash, settings)
        choice = keep_choice(store, backbone, compared.chosen, compared.reason, compared.plain())
    say(f"{'choose':<9} {choice}")
    return with_cut(settings, choice.cut)


def with_chosen_cut(settings: schema.Settings) -> schema.Settings:
    """Put the chosen cut in the place of auto; leave auto where a first night has still to choose.

    A store whose champion has these weights already keeps that champion's cut: what serves is not changed by a word in
    a settings file.
    """
    if settings.backbone.cut != schema.AUTO:
        return settings
    choice = read_choice(settings.store.url, settings.backbone) or _in_use(settings)
    return with_cut(settings, choice.cut) if choice else settings


def with_cut(settings: schema.Settings, cut: str) -> schema.Settings:
    """Set the cut; raise SettingsProblem where fine-tuning would begin behind it."""
    values = settings.model_dump(mode="json")
    values["backbone"]["cut"] = cut
    return parse(values, "backbone.cut auto")


def choice_behind(settings: schema.Settings) -> CutChoice | None:
    """Return the choice that this cut comes from; None where a person named another one, or auto never chose."""
    choice = read_choice(settings.store.url, settings.backbone)
    return choice if choice and choice.cut == settings.backbone.cut else None


def _in_use(settings: schema.Settings) -> CutChoice | None:
    champion = Ledger(settings.store.url).champion()
    if champion is None:
        return None
    recorded = read_record(settings.store.url, champion.head, champion.dataset).settings.get("backbone")
    used, own = schema.Backbone.model_validate(recorded or {}), settings.backbone
    if not recorded or (used.sha256 or used.weights, used.size) != (own.sha256 or own.weights, own.size):
        return None
    reason = f"the champion, model version {champion.model_version}, used it; pedigree backbone compare measures others"
    return keep_choice(settings.store.url, own, used.cut, reason, {})
