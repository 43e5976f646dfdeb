"""A first night's step: measure the cuts of the backbone, and choose what ``backbone.cut: auto`` means from then on."""

from configs import schema
from configs.load import parse
from tasks.domain.datasets.manifest import Dataset
from tasks.features.compare_cuts import measure_cuts
from tasks.features.embedding import join_workers
from tasks.step import log_result, step
from tasks.stores.files.cut_choices import CutChoice, read_choice, write_choice
from tasks.stores.files.ledger import Ledger
from tasks.stores.files.records import read_record


@step(hours=24, logged=False)
def choose_cut(dataset: Dataset, settings: schema.Settings) -> schema.Settings:
    """Measure each cut, keep the choice in the store, say it, and return the settings with that cut."""
    from tasks.modeling.backbone.backbone import DEMO_CUT

    join_workers(settings)
    store, backbone = settings.store.url, settings.backbone
    if backbone.weights == "demo":
        choice = write_choice(store, backbone, DEMO_CUT, "the demo's weights end there", {})
    else:
        compared = measure_cuts(dataset.hash, settings)
        choice = write_choice(store, backbone, compared.chosen, compared.reason, compared.to_dict())
    log_result("choose_cut", str(choice))
    return with_cut(settings, choice.cut)


def with_chosen_cut(settings: schema.Settings) -> schema.Settings:
    """Put the chosen cut in the place of auto; leave auto where a first night has still to choose.

    A store whose champion has these weights already keeps that champion's cut: what serves is not changed by a word in
    a settings file.
    """
    if settings.backbone.cut != schema.AUTO:
        return settings
    choice = read_choice(settings.store.url, settings.backbone) or _champion_cut(settings)
    return with_cut(settings, choice.cut) if choice else settings


def with_cut(settings: schema.Settings, cut: str) -> schema.Settings:
    """Set the cut; raise SettingsError where fine-tuning would begin behind it."""
    values = settings.model_dump(mode="json")
    values["backbone"]["cut"] = cut
    return parse(values, "backbone.cut auto")


def find_choice(settings: schema.Settings) -> CutChoice | None:
    """Return the choice that this cut comes from; None where a person named another one, or auto never chose."""
    choice = read_choice(settings.store.url, settings.backbone)
    return choice if choice and choice.cut == settings.backbone.cut else None


def _champion_cut(settings: schema.Settings) -> CutChoice | None:
    champion = Ledger(settings.store.url).champion()
    if champion is None:
        return None
    recorded = read_record(settings.store.url, champion.head, champion.dataset).settings.get("backbone")
    used, configured = schema.Backbone.model_validate(recorded or {}), settings.backbone
    if not recorded or (used.sha256 or used.weights, used.size) != (
        configured.sha256 or configured.weights,
        configured.size,
    ):
        return None
    reason = f"the champion, model version {champion.model_version}, used it; pedigree backbone compare measures others"
    return write_choice(settings.store.url, configured, used.cut, reason, {})
