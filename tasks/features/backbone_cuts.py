"""The cuts of the backbone: each is measured by cross-validation, and ``auto`` stands for the best one."""

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
from tasks.domain.images.preprocessing import limits_from_settings
from tasks.domain.training.cut_comparison import CutComparison, CutPredictions, compare_cuts
from tasks.features.embedding import join_workers
from tasks.features.machine_check import suit_machine
from tasks.features.missing_features import embed_missing
from tasks.reports.prefect_ui.progress import show_progress
from tasks.step import log_result, step
from tasks.stores.files.records import CutChoice
from tasks.stores.objects.object_store import read_url
from tasks.stores.store import Store

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone

# This many images tell cuts apart, and are embedded in minutes; 10,048 numbers for each are 80 MB.
MOST = 2000
# A class gives at least this many, as far as it has them, however small its share is.
_LEAST = 10
# Pairs are formed of the last cuts only: earlier ones are worse alone and add little.
_LAST = 4
# Features that are copied at once.
_AT_ONCE = 4096


def check_comparable(backbone: schema.Backbone) -> None:
    """Check, before any photograph is fetched, that the weights have more than one cut.

    Raises:
        SettingsError: They end at a cut of their own.
    """
    from tasks.modeling.backbone.embedding import check_has_other_cuts

    check_has_other_cuts(backbone, read_url(backbone.weights) if backbone.is_file else None)


@step(hours=24)
def compare_backbone_cuts(dataset: Dataset, settings: schema.Settings) -> CutComparison:
    """Measure each cut of the backbone on the training and validation images of a version.

    Args:
        dataset: The dataset version.
        settings: All of them: store, images, backbone, training and fine-tuning each say something here.

    Returns:
        The log loss and accuracy of each cut, and which cut is best.

    Raises:
        PedigreeError: The version has too few images.
    """
    store = Store(settings.store.url)
    if dataset.state == "waiting":
        raise PedigreeError(f"There is nothing to compare cuts on: {dataset.reason}.")
    return measure_cuts(dataset.hash, store, settings)


def measure_cuts(dataset: str, store: Store, settings: schema.Settings) -> CutComparison:
    """Measure each cut, and pairs of cuts, by cross-validation over near-duplicate groups, never on a test image.

    One pass of the network computes the features of all cuts, which stay in the store. Those of the chosen cut are also
    stored by themselves, so that a run with that cut embeds only the images that were not measured.

    Args:
        dataset: The hash of a dataset version.
        store: Holds the version and its images, and gets their features.
        settings: The images' limits, the backbone, whose cut does not matter here, and how the model is trained.

    Returns:
        The figures of each cut, and which one is best.

    Raises:
        SettingsError: The weights end at a cut of their own.
        PedigreeError: There are fewer than two classes, or nothing of them can be held out.
    """
    from tasks.modeling.backbone.embedding import load_every_cut
    from tasks.modeling.backbone.loading import load_on_engine

    backbone = settings.backbone
    rows = sample(store.manifests.read(dataset))
    images = [row.image for row in rows]
    groups = store.splits.stored().group_names(images)
    _check_enough(rows, groups)
    data, unlike = read_url(backbone.weights) if backbone.is_file else None, settings.scale.unlike
    all_cuts = suit_machine(store, load_every_cut(backbone, data), unlike)
    embed_missing(all_cuts, images, store, limits_from_settings(settings.images))
    features = store.features(all_cuts.fingerprint, all_cuts.width).read(images)
    cuts, labels = candidates(all_cuts.cut, settings), [row.label for row in rows]
    predictions = list(_cross_fit_cuts(cuts, all_cuts.cut, features, labels, groups))
    comparison = compare_cuts(predictions, np.unique(groups, return_inverse=True)[1])
    chosen = load_on_engine(backbone.model_copy(update={"cut": comparison.chosen}), data)
    _store_single_cut(all_cuts, suit_machine(store, chosen, unlike), images, store)
    return comparison


def sample(rows: Sequence[Row], most: int = MOST) -> list[Row]:
    """Return a sample of the training and validation images, to which each class contributes by its size.

    Args:
        rows: The dataset version.
        most: About how many images are wanted.

    Returns:
        The sample; of each class the first images by their hashes, at least ten where it has them.
    """
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
    """Raise PedigreeError, before minutes go into features, where cuts could not be compared."""
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


def _store_single_cut(all_cuts: "Backbone", single: "Backbone", images: Sequence[str], store: Store) -> None:
    """Store one cut's part of the features of all cuts, where the backbone of that cut computes the same bits here."""
    from tasks.modeling.backbone.embedding import find_cut_columns, gives_same_features

    origin, target = (store.features(cuts.fingerprint, cuts.width, cuts.precision) for cuts in (all_cuts, single))
    with store.leases.hold(f"features-{single.fingerprint}"):
        lacking = target.lacking(images)
        if not lacking or not gives_same_features(all_cuts, single):
            return
        column_indices = find_cut_columns(all_cuts.cut, single.cut)
        for part in (lacking[start : start + _AT_ONCE] for start in range(0, len(lacking), _AT_ONCE)):
            target.add(part, origin.read(part)[:, column_indices])


def _cross_fit_cuts(
    cuts: Sequence[str], all_cuts: str, features: NDArray[np.float32], labels: Sequence[str], groups: Sequence[str]
) -> Iterator[CutPredictions]:
    """Cross-fit heads on the features of each cut, which are columns of those of all cuts."""
    from tasks.modeling.backbone.embedding import find_cut_columns

    truth = np.unique(labels, return_inverse=True)[1]
    with show_progress("compare_cuts", len(cuts), noun="cuts") as advance:
        for cut in cuts:
            yield cross_fit_cut(cut, features[:, find_cut_columns(all_cuts, cut)], truth, groups)
            advance(1)


def candidates(all_cuts: str, settings: schema.Settings) -> list[str]:
    """List the cuts that are compared: each one, and each pair of the last ones.

    Args:
        all_cuts: The names of all cuts, joined by ``+``.
        settings: Where the backbone is fine-tuned, cuts before its first trained block are left out.

    Returns:
        The names, pairs last.
    """
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
    """Compute out-of-fold predictions of heads on one cut's features, and compare them with the labels.

    Args:
        cut: The cut that the features come from.
        features: Of shape ``(n_images, width)``.
        truth: The index of each image's class, of shape ``(n_images,)``.
        groups: The near-duplicate group of each image; a group is never split between folds.

    Returns:
        For each image whether the likeliest class is the right one, and the log loss.
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
    """Choose the cut that ``auto`` stands for, and keep the choice in the store.

    Args:
        dataset: The dataset version that the cuts are measured on.
        settings: All of them: they are returned, and all that measuring takes is in them.

    Returns:
        The settings with the chosen cut.
    """
    from tasks.modeling.backbone.loading import DEMO_CUT

    store = Store(settings.store.url)
    join_workers(settings.training)
    if settings.backbone.weights == "demo":
        choice = store.cut_choices.write(settings.backbone, DEMO_CUT, "the demo's weights end there", {})
    else:
        comparison = measure_cuts(dataset.hash, store, settings)
        choice = store.cut_choices.write(settings.backbone, comparison.chosen, comparison.reason, comparison.to_dict())
    log_result("choose_cut", str(choice))
    return with_cut(settings, choice.cut)


def with_chosen_cut(settings: schema.Settings, store: Store) -> schema.Settings:
    """Return the settings with the chosen cut in place of ``auto``.

    A store whose champion has these weights keeps that champion's cut, which one word in a settings file cannot change.

    Args:
        settings: All of them, since they are returned.
        store: Holds the choice, or the champion's record.

    Returns:
        The settings; they still say ``auto`` where nothing was chosen yet.
    """
    if settings.backbone.cut != schema.AUTO:
        return settings
    choice = store.cut_choices.read(settings.backbone) or _champion_cut(store, settings.backbone)
    return with_cut(settings, choice.cut) if choice else settings


def with_cut(settings: schema.Settings, cut: str) -> schema.Settings:
    """Return the settings with this cut.

    Args:
        settings: All of them, since they are checked together.
        cut: The name of the cut.

    Returns:
        The new settings.

    Raises:
        SettingsError: Fine-tuning would begin behind the cut.
    """
    values = settings.model_dump(mode="json")
    values["backbone"]["cut"] = cut
    return parse_settings(values, "backbone.cut auto")


def find_choice(store: Store, backbone: schema.Backbone) -> CutChoice | None:
    """Find the choice that the backbone's cut comes from.

    Args:
        store: Holds the choices.
        backbone: Names the cut, the weights and the size.

    Returns:
        The choice; None where a person named another cut, or ``auto`` never chose one.
    """
    choice = store.cut_choices.read(backbone)
    return choice if choice and choice.cut == backbone.cut else None


def _champion_cut(store: Store, backbone: schema.Backbone) -> CutChoice | None:
    champion = store.ledger.champion()
    if champion is None:
        return None
    recorded = store.records.read(champion.head, champion.dataset).settings.get("backbone")
    used = schema.Backbone.model_validate(recorded or {})
    if not recorded or (used.sha256 or used.weights, used.size) != (backbone.sha256 or backbone.weights, backbone.size):
        return None
    reason = f"the champion, model version {champion.model_version}, used it; pedigree backbone compare measures others"
    return store.cut_choices.write(backbone, used.cut, reason, {})
