"""What ``backbone.cut: auto`` means for a store: what was chosen once, or what its champion used before."""

from configs import schema
from configs.load import parse
from tasks.stores.cuts import CutChoice, keep_choice, read_choice
from tasks.stores.ledger import Ledger
from tasks.stores.records import read_record


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
