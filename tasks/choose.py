"""A first night's step: measure the cuts of the backbone, and choose what ``backbone.cut: auto`` means from then on."""

from configs import schema
from tasks.comparing import measure_cuts
from tasks.cut_choice import with_cut
from tasks.domain.night import Dataset
from tasks.finetuning import join_workers
from tasks.step import say, step
from tasks.stores.cuts import keep_choice


@step(hours=24, logged=False)
def choose(dataset: Dataset, settings: schema.Settings) -> schema.Settings:
    """Measure each cut, keep the choice in the store, say it, and return the settings with that cut."""
    from tasks.modeling.backbone import DEMO_CUT

    join_workers(settings)
    store, backbone = settings.store.url, settings.backbone
    if backbone.weights == "demo":
        choice = keep_choice(store, backbone, DEMO_CUT, "the demo's weights end there", {})
    else:
        compared = measure_cuts(dataset.hash, settings)
        choice = keep_choice(store, backbone, compared.chosen, compared.reason, compared.plain())
    say(f"{'choose':<9} {choice}")
    return with_cut(settings, choice.cut)
