"""Sets of images as models are measured on them, and what must not be in two of them at once."""

from collections.abc import Sequence

from configs import schema
from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError
from tasks.domain.datasets.manifest import Row
from tasks.domain.evaluation.comparison import EvaluationSet
from tasks.domain.evaluation.label_changes import Relabelling
from tasks.domain.images.preprocessing import limits_from_settings
from tasks.domain.labels.labeling import apply_aliases, image_attributes
from tasks.domain.training.results import FeatureSet
from tasks.features.embedding import embed_missing, stored_backbone
from tasks.stores.store import Store


def build_evaluation_set(store: Store, rows: Sequence[Row], changes: Relabelling | None = None) -> EvaluationSet:
    """Gather labels, groups of near duplicates, and attributes: those that were told, and those read from pictures.

    ``changes`` tell which labels are not those under which the champion was judged, as far as that is known.
    """
    images = [row.image for row in rows]
    splits, examined = store.splits.stored(), store.images.read_infos(images)

    def attributes(row: Row) -> tuple[tuple[str, str], ...]:
        measured_attributes = dict(image_attributes(examined[row.image])) if row.image in examined else {}
        return tuple(sorted((measured_attributes | dict(row.attributes)).items()))

    return EvaluationSet(
        labels=[row.label for row in rows],
        groups=[splits[image].group if image in splits else image for image in images],
        attributes=[attributes(row) for row in rows],
        moved=changes.find_moved([row.image for row in rows]) if changes else frozenset(),
        finer=changes.vocabulary.finer if changes else {},
    )


def golden_rows(store: Store, settings: schema.Settings) -> list[Row]:
    """Read the images of the golden set, whatever their split, under today's names of classes; none without one.

    Raises PedigreeError where the store has no such version.
    """
    name = settings.evaluation.golden
    if not name:
        return []
    try:
        rows = store.manifests.read(name)
    except (ServiceUnavailableError, InaccessibleError):
        raise
    except PedigreeError as error:
        message = f"evaluation.golden {name[:12]} cannot be read from {store.url}: make that version there with"
        raise PedigreeError(f"{message} pedigree data rebuild, or correct the setting.") from error
    labels = apply_aliases([row.label for row in rows], settings.labels.aliases)
    return [row._replace(label=label) for row, label in zip(rows, labels, strict=True)]


def embed_golden(rows: Sequence[Row], feature_set: FeatureSet, settings: schema.Settings) -> None:
    """Embed those golden images that the store lacks under this backbone."""
    images = [row.image for row in rows]
    if set(images) <= Store(settings.store.url).features(feature_set.fingerprint, feature_set.width).stored():
        return
    store = Store(settings.store.url)
    embed_missing(stored_backbone(store, feature_set.fingerprint), images, store, limits_from_settings(settings.images))
