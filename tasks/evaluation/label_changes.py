"""Changes of the labels under which the champion was compared, and what speaks for the new ones."""

from collections.abc import Mapping, Sequence

from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.label_changes import Relabelling, find_relabelling
from tasks.domain.evaluation.label_evidence import (
    LabelEvidence,
    LabelPrediction,
    collect_label_evidence,
    find_recall_drops,
    predict_with_head,
    read_champion_predictions,
)
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.evaluation.vocabulary import ImageLabels
from tasks.domain.labels.labeling import apply_aliases
from tasks.domain.registry.decisions import Decision
from tasks.domain.training.results import FeatureSet
from tasks.features.embedding import fit_reduction
from tasks.stores.store import Store


def compare_labels(
    rows: Sequence[Row], champion: Decision | None, parent: str | None, store: Store, aliases: Mapping[str, str]
) -> Relabelling | None:
    """Compare a version's labels with those of the champion's version, and of the parent's for images that came since.

    Args:
        rows: The version's.
        champion: The decision that made the champion, if there is one.
        parent: The version that was judged last.
        store: Where the versions are.
        aliases: The aliases of classes, former name to today's.

    Returns:
        What changed; None where there is no champion, or where its version can be read no more.
    """
    if champion is None:
        return None
    judged = _labels(store, champion.dataset, aliases)
    if judged is None:
        return None
    later = _labels(store, parent, aliases) if parent and parent != champion.dataset else None
    labels = judged.with_more(later) if later else judged
    return find_relabelling(labels, rows, lambda images: store.splits.stored().group_names(images))


def gather_label_evidence(
    changes: Relabelling,
    rows: Sequence[Row],
    today: FeatureSet,
    predictions: tuple[Predictions, Predictions | None],
    store: Store,
) -> LabelEvidence:
    """Ask the champion, and a head that never saw what moved, about the photographs that moved.

    Args:
        changes: What moved.
        rows: All rows of the version.
        today: The features of all of its images.
        predictions: The challenger's and the champion's about the test images, in the order of the rows.
        store: The store that holds features and groups.

    Returns:
        What speaks for the old labels and for the new ones.
    """
    if not changes.moved:
        return LabelEvidence(changes)
    challenger, champion = predictions
    words = changes.vocabulary
    tested = [row for row in rows if row.split is Split.TEST]
    before = {change.image: change.before for change in changes.moved}
    earlier = [before.get(row.image, words.translate_current(row.label)) for row in tested]
    challenger_today = challenger.rename_classes([words.translate_current(label) for label in challenger.classes])
    return collect_label_evidence(
        changes,
        _head_words(changes, rows, today, store),
        read_champion_predictions(changes, [row.image for row in tested], champion) if champion else {},
        find_recall_drops(earlier, challenger_today.labels(), champion.labels()) if champion else (),
    )


def _head_words(
    changes: Relabelling, rows: Sequence[Row], today: FeatureSet, store: Store
) -> Mapping[str, LabelPrediction | None]:
    used = [row for row in rows if row.split is not Split.HELD_OUT]
    images, splits = [row.image for row in used], store.splits.stored()
    groups = splits.group_names(images)
    labels = [changes.vocabulary.translate_current(row.label) for row in used]
    features = fit_reduction(store.features(today.fingerprint, today.width), images)(images)
    return predict_with_head(changes, features, labels, groups, images)


def _labels(store: Store, version: str, aliases: Mapping[str, str]) -> ImageLabels | None:
    """Read a version's labels under today's names of classes; None where it is lost."""
    try:
        rows = store.manifests.columns(version)
    except (ServiceUnavailableError, InaccessibleError):
        raise
    except PedigreeError:
        return None
    return ImageLabels(rows.images, rows.codes, apply_aliases([label for label, _ in rows.kinds], aliases))
