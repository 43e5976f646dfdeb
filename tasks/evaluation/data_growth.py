"""What the challenger learned from beyond its champion, read from the store."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from configs import schema
from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.data_growth import (
    DataGrowth,
    SettingsRelation,
    VersionFeatures,
    compare_training_data,
    cross_validate,
)
from tasks.domain.gate.improvement import describe_growth_shortfall
from tasks.domain.labels.labeling import apply_aliases
from tasks.domain.registry.decisions import Decision
from tasks.domain.registry.model_record import training_settings
from tasks.domain.training.results import FeatureSet
from tasks.features.embedding import Reduce, fit_reduction
from tasks.stores.store import Store

# The names are hashes, so the first of them in order are a fair sample of very many images.
_MOST = 20_000


def measure_growth(
    rows: Sequence[Row], today: FeatureSet, decision: Decision, store: Store, settings: schema.Settings
) -> DataGrowth | None:
    """Compare training data and settings with those of the champion.

    Args:
        rows: Today's dataset version.
        today: The features that training begins with.
        decision: The one that made the champion.
        store: Where the champion's version and record are.
        settings: All sections that decide what is learned, since these are compared.

    Returns:
        What the challenger learned from beyond its champion; None where the store no longer tells what that one was
        trained on.

    Raises:
        ServiceUnavailableError: The store does not answer.
        InaccessibleError: The store does not let us read.
    """
    gate = settings.gate
    try:
        former = store.manifests.columns(decision.dataset)
        record = store.records.read(decision.head, decision.dataset)
    except (ServiceUnavailableError, InaccessibleError):
        raise
    except PedigreeError:
        return None
    labels = apply_aliases([label for label, _ in former.kinds], settings.labels.aliases)
    kinds = tuple((label, attributes) for label, (_, attributes) in zip(labels, former.kinds, strict=True))
    former = replace(former, kinds=kinds)
    made_by = [_recipe(sections) for sections in (record.settings, training_settings(settings))]
    comparison = compare_training_data(rows, former, _likeness(*made_by, same_features=record.features == today))
    # It costs seconds of a run with many images: only where it can decide.
    if gate.needs == "no-harm" or describe_growth_shortfall(comparison, gate):
        return comparison
    images = [row.image for row in rows]
    reduces = {feature_set: _reduction(feature_set, images, store) for feature_set in {today, record.features}}
    labelled = (
        _labelled(version_rows, feature_set, reduces[feature_set], store)
        for version_rows, feature_set in ((rows, today), (former, record.features))
    )
    return replace(comparison, cross_validated=cross_validate(*labelled))


def _likeness(
    champion_settings: Mapping[str, object], challenger_settings: Mapping[str, object], *, same_features: bool
) -> SettingsRelation:
    if any(
        champion_settings.get(name) != challenger_settings.get(name)
        for name in {*champion_settings, *challenger_settings} - {"backbone"}
    ):
        return "other"
    return "same" if same_features else "another backbone"


def _recipe(made_by: Mapping[str, object]) -> dict[str, object]:
    """Leave out how labels are read: the versions themselves say which image has which."""
    return {name: section for name, section in made_by.items() if name != "labels"}


def _reduction(feature_set: FeatureSet, images: Sequence[str], store: Store) -> Reduce:
    """Fit the principal components of today's images, so that of one backbone both versions have the same."""
    features = store.features(feature_set.fingerprint, feature_set.width)
    lacking = set(features.lacking(images))
    return fit_reduction(features, [image for image in images if image not in lacking])


def _labelled(rows: Sequence[Row], feature_set: FeatureSet, reduce: Reduce, store: Store) -> VersionFeatures:
    features, splits = store.features(feature_set.fingerprint, feature_set.width), store.splits.stored()
    used = [row for row in rows if row.split is not Split.HELD_OUT]
    lacking = set(features.lacking([row.image for row in used]))
    sample = sorted((row for row in used if row.image not in lacking), key=lambda row: row.image)[:_MOST]
    names = [row.image for row in sample]
    groups = splits.group_names(names)
    return VersionFeatures(names, reduce(names), [row.label for row in sample], groups)
