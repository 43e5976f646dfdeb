"""Preflight: whether everything is there that a run will need."""

from configs import schema
from configs.errors import SettingsError
from configs.load import resolve
from configs.schema import AUTO, Settings
from tasks.evaluation.evaluation_sets import with_named_golden
from tasks.features.backbone_cuts import with_chosen_cut
from tasks.features.embed import check_weights
from tasks.ingestion.source_check import check_apart
from tasks.modeling.backbone.imagenet_file import describe_ways_out, find_imagenet
from tasks.modeling.backbone.loading import check_cut
from tasks.modeling.backbone.onnx_engine import check_installed
from tasks.promotion import sync_registry
from tasks.step import log_line, step
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.objects.originals import require_versions
from tasks.stores.store import Store
from tasks.stores.tracking.client import check_tracking
from tasks.stores.tracking.experiments import check_experiment


@step(hours=2)
def preflight(settings: Settings) -> Settings:
    """Check that source, store and tracking answer, and that the settings fit together.

    Args:
        settings: All of them, as they were given.

    Returns:
        The settings with every path made absolute, and with the cut that auto means and the whole hash of the golden
        set, where the store knows them.

    Raises:
        SettingsError: Source and store overlap, or a source of labels does not fit the source.
        PedigreeError: A server or a folder does not answer, or a weights file is not the one that the settings mean.
    """
    settings = resolve(settings)
    source, store = settings.source.url.rstrip("/"), Store(settings.store.url.rstrip("/"))
    check_apart(source, store.url)
    if "metadata" in settings.labels.sources and not source.startswith("s3://"):
        message = f"labels.sources has metadata, but source.url {source} is a folder: only S3 objects have metadata."
        raise SettingsError(message)
    if settings.backbone.engine == "onnxruntime":
        check_installed()
    if settings.backbone.cut != AUTO:
        check_cut(settings.backbone)
    open_bucket(source).check()
    if settings.store.images == "reference":
        require_versions(source)
    if store.url.startswith("s3://"):
        store.objects.check()
    check_tracking(settings.tracking.url)
    store.check_format()
    _say_what_is_lacking(settings.backbone, store)
    settings = with_chosen_cut(settings, store)
    check_weights(store, settings.backbone)
    return with_named_golden(settings, store)


def _say_what_is_lacking(backbone: schema.Backbone, store: Store) -> None:
    """Log, before anything is listed, that a store without a backbone cannot get the ImageNet weights here.

    The run goes on: where there is too little to learn from it needs none, and photographs are stored all the same.
    """
    if backbone.weights != "imagenet" or any(store.objects.entries("backbones/")):
        return
    weights = find_imagenet(backbone.sha256)
    if not weights.available:
        log_line(f"{describe_ways_out(weights)}.")


@step(hours=2)
def restore_registry(settings: schema.Store, tracking: schema.Tracking) -> sync_registry.RegistrySync:
    """Let MLflow catch up with the ledger, register again what serves where MLflow has lost it, and compare its files.

    Args:
        settings: Where the store is.
        tracking: The MLflow that follows the ledger.

    Returns:
        What was put right, and what stands otherwise than the ledger says.

    Raises:
        PedigreeError: The experiment was deleted.
        SettingsError: The registered model is another store's.
    """
    store = Store(settings.url)
    check_experiment(tracking.url, tracking.experiment)
    sync = sync_registry.follow_ledger(store, tracking)
    return sync_registry.check_served_files(sync, store, tracking)
