"""The step of ``pedigree backbone compare``: measure the cuts of the backbone, and choose none."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from configs import schema
from configs.errors import PedigreeError
from configs.load import parse_settings
from tasks.domain.datasets.manifest import Dataset, Row
from tasks.domain.datasets.splits import Split
from tasks.domain.training.cut_comparison import CutComparison, CutPredictions, compare_cuts
from tasks.features.embedding import embed_missing, join_workers
from tasks.reports.prefect_ui.progress import show_progress
from tasks.step import log_result, step
from tasks.stores.files.records import CutChoice
from tasks.stores.objects.object_store import read_url
from tasks.stores.store import Store


def check_comparable(backbone: schema.Backbone) -> None:
    """Raise SettingsError, before a photograph is fetched, where the weights end at a cut of their own."""
    from tasks.modeling.backbone.embedding import check_has_other_cuts

    check_has_other_cuts(backbone, read_url(backbone.weights) if backbone.is_file else None)


@step(hours=24)
def compare_backbone_cuts(dataset: Dataset, settings: schema.Settings) -> CutComparison:
    """Measure each cut on the training and validation images of a version; raise PedigreeError where it has too few."""
    if dataset.state == "waiting":
        raise PedigreeError(f"There is nothing to compare cuts on: {dataset.reason}.")
    return measure_cuts(dataset.hash, settings)


if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone

# So many images tell cuts apart, and are embedded in minutes; 10,048 numbers of each are 80 MB.
MOST = 2000
# A class gets so many of them, as far as it has them, however small its share is.
_LEAST = 10
# Pairs are tried of so many of the last cuts: those before them are worse alone and add little.
_LAST = 4
# Features are copied so many at a time.
_AT_ONCE = 4096


def measure_cuts(dataset: str, settings: schema.Settings) -> CutComparison:
    """Measure each cut, and two together, by cross-validation over near-duplicate groups, never on a test image.

    All comes from one pass of the network, whose numbers stay in the store; those of the chosen cut are kept as its own
    as well, so that a night under that cut embeds only what was not measured.

    Args:
        dataset: The hash of a dataset version.
        settings: Its store, the backbone, whose cut does not matter here, and how the model is trained.

    Returns:
        The figures of each cut and the choice.

    Raises:
        SettingsError: The weights end at a cut of their own.
        PedigreeError: There are not two classes to tell apart, or nothing of them can be held out.
    """
    from tasks.modeling.backbone.backbone import load_backbone
    from tasks.modeling.backbone.embedding import load_every_cut

    chosen, store = settings.backbone, settings.store.url
    rows = sample(Store(store).manifests.read(dataset))
    images = [row.image for row in rows]
    assigned = Store(store).splits.stored()
    groups = [assigned[image].group for image in images]
    _check_enough(rows, groups)
    data = read_url(chosen.weights) if chosen.is_file else None
    all_cuts = load_every_cut(chosen, data)
    embed_missing(all_cuts, images, settings)
    answers = list(_cross_fit_cuts(all_cuts, rows, groups, settings))
    compared = compare_cuts(answers, np.unique(groups, return_inverse=True)[1])
    _store_single_cut(all_cuts, load_backbone(chosen.model_copy(update={"cut": compared.chosen}), data), images, store)
    return compared


def sample(rows: Sequence[Row], most: int = MOST) -> list[Row]:
    """Take training and validation images, each class's first by their hashes, in proportion to its size."""
    learned = [row for row in rows if row.split in {Split.TRAIN, Split.VALIDATION}]
    rows_by_label: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sorted(learned, key=lambda row: row.image):
        rows_by_label[row.label].append(row)
    share = min(1.0, most / max(len(learned), 1))
    return [
        row
        for label in sorted(rows_by_label)
        for row in rows_by_label[label][: max(_LEAST, round(share * len(rows_by_label[label])))]
    ]


def _check_enough(rows: Sequence[Row], groups: Sequence[str]) -> None:
    """Raise PedigreeError, before minutes go into features, where they could tell nothing."""
    classes = {row.label for row in rows}
    if len(classes) < 2:  # noqa: PLR2004
        raise PedigreeError(
            "Cuts are compared on training and validation images of two classes at least: add photographs."
        )
    if len({(row.label, group) for row, group in zip(rows, groups, strict=True)}) == len(classes):
        raise PedigreeError(
            "Cuts are compared by photographs held out, and no class has two for training or validation that do not "
            "look alike: add some."
        )


def _store_single_cut(all_cuts: "Backbone", single: "Backbone", images: Sequence[str], store: str) -> None:
    """Keep what the pass through every cut made for one of them, where that one alone makes the same bits here."""
    from tasks.modeling.backbone.embedding import find_cut_columns, gives_same_features

    origin = Store(store).features(all_cuts.fingerprint, all_cuts.width, all_cuts.precision)
    target = Store(store).features(single.fingerprint, single.width, single.precision)
    with Store(store).leases.hold(f"features-{single.fingerprint}"):
        stored = target.stored()
        lacking = [image for image in images if image not in stored]
        if not lacking or not gives_same_features(all_cuts, single):
            return
        column_indices = find_cut_columns(all_cuts.cut, single.cut)
        for start in range(0, len(lacking), _AT_ONCE):
            part = lacking[start : start + _AT_ONCE]
            target.add(part, origin.read(part)[:, column_indices])


def _cross_fit_cuts(
    all_cuts: "Backbone", rows: Sequence[Row], groups: Sequence[str], settings: schema.Settings
) -> Iterator[CutPredictions]:
    """Cross-fit heads on each cut's features, and on those of two together."""
    from tasks.modeling.backbone.embedding import find_cut_columns

    truth = np.unique([row.label for row in rows], return_inverse=True)[1]
    features = (
        Store(settings.store.url).features(all_cuts.fingerprint, all_cuts.width).read([row.image for row in rows])
    )
    cuts = candidates(all_cuts.cut, settings)
    with show_progress("compare_cuts", len(cuts)) as advance:
        for cut in cuts:
            yield cross_fit_cut(cut, features[:, find_cut_columns(all_cuts.cut, cut)], truth, groups)
            advance(1)


def candidates(all_cuts: str, settings: schema.Settings) -> list[str]:
    """Name each cut, and each two of the last ones; where the backbone's end learns, none that ends before it."""
    from tasks.modeling.backbone.inception import CUTS, split_cut

    single = split_cut(all_cuts)
    cuts = [*single, *(f"{first}+{second}" for first, second in combinations(single[-_LAST:], 2))]
    if settings.training.method != "fine-tune":
        return cuts
    first = CUTS.index(settings.fine_tuning.from_block)
    return [cut for cut in cuts if CUTS.index(split_cut(cut)[-1]) >= first]


def cross_fit_cut(
    cut: str, features: NDArray[np.float32], truth: NDArray[np.int64], groups: Sequence[str]
) -> CutPredictions:
    """Hold what heads say of images that they were not fitted on against the truth.

    Args:
        cut: Where the features come from.
        features: Of shape (n_images, width).
        truth: The index of each image's class, of shape (n_images,).
        groups: The near-duplicate group of each image.

    Returns:
        By image whether the likeliest class is the right one, and the loss.
    """
    from tasks.modeling.backbone.inception import feature_width
    from tasks.modeling.head.cross_fitting import out_of_fold
    from tasks.modeling.head.head import fit_scaler

    probabilities = out_of_fold(features, truth, groups)
    true_probabilities = probabilities[np.arange(len(truth)), truth]
    losses = -np.log(np.maximum(true_probabilities, np.finfo(np.float32).tiny))
    correct = probabilities.argmax(axis=1) == truth
    return CutPredictions(cut, feature_width(cut), correct, losses, fit_scaler(features).varies)


@step(hours=24, logged=False)
def choose_cut(dataset: Dataset, settings: schema.Settings) -> schema.Settings:
    """Measure each cut, keep the choice in the store, say it, and return the settings with that cut."""
    from tasks.modeling.backbone.backbone import DEMO_CUT

    join_workers(settings)
    store, backbone = settings.store.url, settings.backbone
    if backbone.weights == "demo":
        choice = Store(store).cut_choices.write(backbone, DEMO_CUT, "the demo's weights end there", {})
    else:
        compared = measure_cuts(dataset.hash, settings)
        choice = Store(store).cut_choices.write(backbone, compared.chosen, compared.reason, compared.to_dict())
    log_result("choose_cut", str(choice))
    return with_cut(settings, choice.cut)


def with_chosen_cut(settings: schema.Settings) -> schema.Settings:
    """Put the chosen cut in the place of auto; leave auto where a first night has still to choose.

    A store whose champion has these weights already keeps that champion's cut: what serves is not changed by a word in
    a settings file.
    """
    if settings.backbone.cut != schema.AUTO:
        return settings
    choice = Store(settings.store.url).cut_choices.read(settings.backbone) or _champion_cut(settings)
    return with_cut(settings, choice.cut) if choice else settings


def with_cut(settings: schema.Settings, cut: str) -> schema.Settings:
    """Set the cut; raise SettingsError where fine-tuning would begin behind it."""
    values = settings.model_dump(mode="json")
    values["backbone"]["cut"] = cut
    return parse_settings(values, "backbone.cut auto")


def find_choice(settings: schema.Settings) -> CutChoice | None:
    """Return the choice that this cut comes from; None where a person named another one, or auto never chose."""
    choice = Store(settings.store.url).cut_choices.read(settings.backbone)
    return choice if choice and choice.cut == settings.backbone.cut else None


def _champion_cut(settings: schema.Settings) -> CutChoice | None:
    champion = Store(settings.store.url).ledger.champion()
    if champion is None:
        return None
    recorded = Store(settings.store.url).records.read(champion.head, champion.dataset).settings.get("backbone")
    used, configured = schema.Backbone.model_validate(recorded or {}), settings.backbone
    if not recorded or (used.sha256 or used.weights, used.size) != (
        configured.sha256 or configured.weights,
        configured.size,
    ):
        return None
    reason = f"the champion, model version {champion.model_version}, used it; pedigree backbone compare measures others"
    return Store(settings.store.url).cut_choices.write(configured, used.cut, reason, {})
