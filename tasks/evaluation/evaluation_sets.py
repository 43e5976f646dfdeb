"""Evaluation sets: the images that models are measured on, with labels, groups and attributes."""

from collections.abc import Mapping, Sequence

from configs import schema
from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError
from tasks.domain.datasets.manifest import Row
from tasks.domain.evaluation.comparison import EvaluationSet
from tasks.domain.evaluation.label_changes import Relabelling
from tasks.domain.hashing import refuse_several
from tasks.domain.images.preprocessing import limits_from_settings
from tasks.domain.labels.labeling import apply_aliases, image_attributes
from tasks.domain.training.results import FeatureSet
from tasks.features.missing_features import embed_missing
from tasks.features.stored_models import stored_backbone
from tasks.stores.store import Store

_ALL_DIGITS = 64


def build_evaluation_set(store: Store, rows: Sequence[Row], changes: Relabelling | None = None) -> EvaluationSet:
    """Gather labels, groups of near duplicates, and attributes: those that were given, and those measured on pictures.

    Args:
        store: The store that knows groups and measured properties.
        rows: The images of the set.
        changes: Which labels are not those under which the champion was compared; None where that is unknown.

    Returns:
        The set, in the order of the rows.
    """
    images = [row.image for row in rows]
    examined = store.images.read_infos(images)

    def attributes(row: Row) -> tuple[tuple[str, str], ...]:
        measured_attributes = dict(image_attributes(examined[row.image])) if row.image in examined else {}
        return tuple(sorted((measured_attributes | dict(row.attributes)).items()))

    return EvaluationSet(
        labels=[row.label for row in rows],
        groups=store.splits.stored().group_names(images),
        attributes=[attributes(row) for row in rows],
        moved=changes.find_moved([row.image for row in rows]) if changes else frozenset(),
        finer=changes.vocabulary.finer if changes else {},
    )


def with_named_golden(settings: schema.Settings, store: Store) -> schema.Settings:
    """Return the settings with the whole hash of the golden set, of which a person may give the first digits.

    Args:
        settings: All of them.
        store: The store that holds the golden set's version.

    Returns:
        The settings; where the store has no such version, as they were.
    """
    golden = settings.evaluation.golden
    if len(golden) in {0, _ALL_DIGITS}:
        return settings
    matches = [name for name in store.manifests.versions() if name.startswith(golden)]
    refuse_several(golden, "versions", matches)
    evaluation = settings.evaluation.model_copy(update={"golden": matches[0] if matches else golden})
    return settings.model_copy(update={"evaluation": evaluation})


def golden_rows(store: Store, name: str, aliases: Mapping[str, str]) -> list[Row]:
    """Read the images of the golden set, whatever their split, under today's names of classes.

    Args:
        store: The store that holds the golden set's version.
        name: The version whose images are the golden set; empty where there is none.
        aliases: Former names of classes and the names of today.

    Returns:
        The rows; none where no golden set is named.

    Raises:
        PedigreeError: The store has no such version.
        ServiceUnavailableError: The store does not answer.
        InaccessibleError: The store does not let us read.
    """
    if not name:
        return []
    try:
        rows = store.manifests.read(name)
    except (ServiceUnavailableError, InaccessibleError):
        raise
    except PedigreeError as error:
        message = f"evaluation.golden {name[:12]} cannot be read from {store.url}: make that version there with"
        raise PedigreeError(f"{message} pedigree data rebuild, or correct the setting.") from error
    labels = apply_aliases([row.label for row in rows], aliases)
    return [row._replace(label=label) for row, label in zip(rows, labels, strict=True)]


def embed_golden(rows: Sequence[Row], feature_set: FeatureSet, store: Store, settings: schema.Settings) -> None:
    """Embed those golden images that the store lacks under a backbone.

    Args:
        rows: The golden set.
        feature_set: The backbone's features.
        store: The store that holds images and features.
        settings: How large an image may be, and where long work is done.
    """
    images = [row.image for row in rows]
    if not store.features(feature_set.fingerprint, feature_set.width).lacking(images):
        return
    backbone, limits = stored_backbone(store, feature_set.fingerprint), limits_from_settings(settings.images)
    embed_missing(backbone, images, store, limits, settings.scale)
