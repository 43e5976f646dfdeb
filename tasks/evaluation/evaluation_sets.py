"""Sets of images as models are measured on them, and what must not be in two of them at once."""

from collections.abc import Sequence

from configs import schema
from configs.errors import Inaccessible, Outage, Problem
from tasks.domain.datasets.manifest import Row
from tasks.domain.evaluation.comparison import Exam
from tasks.domain.evaluation.label_changes import Relabelling
from tasks.domain.labels.image_attributes import traits
from tasks.domain.labels.labeling import spelled
from tasks.domain.training.results import FeatureSet
from tasks.features.embedding import embed_lacking
from tasks.features.stored_weights import stored_backbone
from tasks.stores.files.manifests import read_manifest
from tasks.stores.tables.features import FeatureStore
from tasks.stores.tables.images import ImageStore
from tasks.stores.tables.splits import SplitStore


def exam(store: str, rows: Sequence[Row], changes: Relabelling | None = None) -> Exam:
    """Gather labels, groups of near duplicates, and attributes: those that were told, and those read from pictures.

    ``changes`` tell which labels are not those under which the champion was judged, as far as that is known.
    """
    images = [row.image for row in rows]
    known, examined = SplitStore(store).known(), ImageStore(store).examined(images)

    def attributes(row: Row) -> tuple[tuple[str, str], ...]:
        seen = dict(traits(examined[row.image])) if row.image in examined else {}
        return tuple(sorted((seen | dict(row.attributes)).items()))

    return Exam(
        labels=[row.label for row in rows],
        groups=[known[image].group if image in known else image for image in images],
        attributes=[attributes(row) for row in rows],
        moved=changes.places([row.image for row in rows]) if changes else frozenset(),
        finer=changes.vocabulary.finer if changes else {},
    )


def golden_rows(settings: schema.Settings) -> list[Row]:
    """Read the images of the golden set, whatever their split, under today's names of classes; none without one.

    Raises Problem where the store has no such version.
    """
    name = settings.evaluation.golden
    if not name:
        return []
    try:
        rows = read_manifest(settings.store.url, name)
    except (Outage, Inaccessible):
        raise
    except Problem as error:
        message = (
            f"evaluation.golden {name[:12]} cannot be read from {settings.store.url}: make that version there with"
        )
        raise Problem(f"{message} pedigree data rebuild, or correct the setting.") from error
    labels = spelled([row.label for row in rows], settings.labels.aliases)
    return [row._replace(label=label) for row, label in zip(rows, labels, strict=True)]


def embed_golden(rows: Sequence[Row], made: FeatureSet, settings: schema.Settings) -> None:
    """Embed those golden images that the store lacks under this backbone."""
    images = [row.image for row in rows]
    if set(images) <= FeatureStore(settings.store.url, made.fingerprint, made.width).known():
        return
    embed_lacking(stored_backbone(settings.store.url, made.fingerprint), images, settings)
