"""What became of the labels under which the champion was judged, and what speaks for the new ones."""

from collections.abc import Mapping, Sequence

from configs import schema
from configs.errors import Inaccessible, Outage, Problem
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.label_changes import Relabelling, relabelling
from tasks.domain.evaluation.label_evidence import (
    LabelEvidence,
    Word,
    champion_words,
    falls_of,
    head_words,
    label_evidence,
)
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.labels.labeling import spelled
from tasks.domain.registry.decisions import Decision
from tasks.domain.training.results import FeatureSet
from tasks.features.pca import reduction
from tasks.stores.files.manifests import read_manifest
from tasks.stores.tables.features import FeatureStore
from tasks.stores.tables.splits import SplitStore


def label_changes(
    rows: Sequence[Row], champion: Decision | None, parent: str | None, settings: schema.Settings
) -> Relabelling | None:
    """Compare a version's labels with those of the champion's version, and of the parent's for images that came since.

    Args:
        rows: The version's.
        champion: The decision that made the champion, if there is one.
        parent: The version that was judged last.
        settings: Where the store is, and the aliases of classes.

    Returns:
        What changed; None where there is no champion, or where its version can be read no more.
    """
    store = settings.store.url
    if champion is None:
        return None
    judged = _labels(store, champion.dataset, settings.labels.aliases)
    if judged is None:
        return None
    later = _labels(store, parent, settings.labels.aliases) if parent and parent != champion.dataset else None
    known = SplitStore(store).known()
    groups = {row.image: known[row.image].group for row in rows if row.image in known}
    return relabelling({**(later or {}), **judged}, rows, groups)


def evidence_of(
    found: Relabelling,
    rows: Sequence[Row],
    today: FeatureSet,
    answers: tuple[Predictions, Predictions | None],
    store: str,
) -> LabelEvidence:
    """Ask the champion, and a head that never saw what moved, about the photographs that moved.

    Args:
        found: What moved.
        rows: All rows of the version.
        today: The features of all of its images.
        answers: The challenger's and the champion's about the test images, in the order of the rows.
        store: The store.
    """
    if not found.moved:
        return LabelEvidence(found)
    challenger, champion = answers
    words = found.vocabulary
    tested = [row for row in rows if row.split is Split.TEST]
    before = {one.image: one.before for one in found.moved}
    earlier = [before.get(row.image, words.of_today(row.label)) for row in tested]
    ours = challenger.named([words.of_today(label) for label in challenger.classes])
    return label_evidence(
        found,
        _head_words(found, rows, today, store),
        champion_words(found, [row.image for row in tested], champion) if champion else {},
        falls_of(earlier, ours.labels(), champion.labels()) if champion else (),
    )


def _head_words(found: Relabelling, rows: Sequence[Row], today: FeatureSet, store: str) -> Mapping[str, Word | None]:
    used = [row for row in rows if row.split is not Split.HELD_OUT]
    images, known = [row.image for row in used], SplitStore(store).known()
    groups = [known[image].group if image in known else image for image in images]
    labels = [found.vocabulary.of_today(row.label) for row in used]
    features = reduction(FeatureStore(store, today.fingerprint, today.width), images)(images)
    return head_words(found, features, labels, groups, images)


def _labels(store: str, version: str, aliases: Mapping[str, str]) -> dict[str, str] | None:
    """Read a version's labels under today's names of classes; None where it is lost."""
    try:
        rows = read_manifest(store, version)
    except (Outage, Inaccessible):
        raise
    except Problem:
        return None
    return dict(zip((row.image for row in rows), spelled([row.label for row in rows], aliases), strict=True))
