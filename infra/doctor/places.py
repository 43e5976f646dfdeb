"""What the doctor looks at of source, store, credentials and weights."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from uuid import uuid4

from configs.errors import PedigreeError
from configs.schema import Settings
from configs.sections import Source
from infra.doctor.finding import Finding
from tasks.domain.ingestion.source_objects import SourceFilter
from tasks.domain.phrasing import count, list_names
from tasks.ingestion.source_check import check_source
from tasks.modeling.backbone.imagenet_file import describe_ways_out, find_imagenet
from tasks.stores.files.store_clock import store_time
from tasks.stores.objects.folder import folder_path
from tasks.stores.objects.object_store import Bucket, open_bucket
from tasks.stores.store import Store

# Seconds by which the store's clock may differ: unnoticed, and so that S3 still takes requests.
_CLOSE, _FAR = 60, 600
# Objects of a bucket that are looked at for their folders.
_SAMPLE = 1000


def check_photographs(settings: Settings) -> Iterator[Finding]:
    """Check that the source can be read, and that labels can come from where the settings say.

    Args:
        settings: Those of source, store and labels, with absolute paths.

    Yields:
        One finding for the source, and one for what labels it.
    """
    source = settings.source
    check_source(settings)
    open_bucket(source.url).check()
    folders, loose = _classes(source)
    yield Finding("source", "ok", f"{source.url} can be read")
    if "folder" in settings.labels.sources:
        yield _describe_folders(folders, loose)
    if "manifest" in settings.labels.sources:
        yield _describe_manifest(source, settings.labels.manifest)


def _classes(source: Source) -> tuple[list[str], bool]:
    """Return the outermost folders of a source, of a bucket among its first objects, and whether files lie in none."""
    names = SourceFilter(source.pass_over)
    if source.url.startswith("s3://"):
        keys = [entry.key for entry in islice(open_bucket(source.url).entries(names=names), _SAMPLE)]
        folders = dict.fromkeys(key.partition("/")[0] for key in keys if "/" in key)
        return list(folders), any("/" not in key for key in keys)
    with os.scandir(folder_path(source.url)) as entries:
        listed = [(entry.name, entry.is_dir()) for entry in entries]
    folders = dict.fromkeys(sorted(name for name, is_folder in listed if is_folder and not names.skips_folder(name)))
    return list(folders), not all(is_folder for _, is_folder in listed)


def _describe_folders(folders: list[str], loose: bool) -> Finding:  # noqa: FBT001 - a fact
    if len(folders) > 1:
        also = "; files in none of them get no label from a folder" if loose else ""
        return Finding("labels", "ok", f"{count(len(folders), 'folder')} such as {list_names(folders)}{also}")
    message = "all photographs lie in one folder" if folders else "no folder says what a photograph shows"
    remedy = "make one folder a class, such as photos/beagle/1.jpg, or set labels.sources and labels.manifest"
    return Finding("labels", "warn", message, remedy)


def _describe_manifest(source: Source, manifest: str) -> Finding:
    if any(entry.key == manifest for entry in islice(open_bucket(source.url).entries(manifest), 1)):
        return Finding("manifest", "ok", f"{manifest} is there")
    return Finding("manifest", "fail", f"the source has no {manifest}", "put it there, or correct labels.manifest")


def check_store(settings: Settings) -> Iterator[Finding]:
    """Check the rights that a run needs in its store: to read, list, create, never to overwrite, and to remove.

    What is written for that is removed again; a folder that is not there yet is not made.

    Args:
        settings: That of the store, with an absolute path.

    Yields:
        One finding for the rights, and one for the store's clock.
    """
    store = Store(settings.store.url)
    if not store.url.startswith("s3://") and not folder_path(store.url).exists():
        yield _describe_new_folder(folder_path(store.url))
        return
    store.objects.check()
    store.check_format()
    yield _try_rights(store.objects)
    yield _compare_clocks(store_time(store.objects), datetime.now(UTC))


def _describe_new_folder(folder: Path) -> Finding:
    parent = next(above for above in folder.parents if above.exists())
    if os.access(parent, os.W_OK | os.X_OK):
        return Finding("store", "ok", f"{folder} is not there yet, and the first run can make it")
    return Finding("store", "fail", f"{folder} cannot be made in {parent}", "set store.url to a place that is yours")


def _try_rights(objects: Bucket) -> Finding:
    key = f"claims/doctor-{uuid4().hex}"
    try:
        objects.create(key, b"first")
        overwritten = objects.create(key, b"second")
        intact = objects.read(key) == b"first" and any(objects.entries(key))
    finally:
        objects.remove(key)
    if any(objects.entries(key)):
        return Finding("store", "fail", f"{objects.url} removes nothing", "allow s3:DeleteObject, or rights to delete")
    if overwritten or not intact:
        message = f"{objects.url} overwrites what is there: conditional writes (If-None-Match) are not obeyed"
        return Finding("store", "fail", message, "use an S3 server that obeys them: two runs would spoil the ledger")
    return Finding("store", "ok", f"{objects.url}: read, list, create, remove, and no overwriting")


def _compare_clocks(store: datetime, machine: datetime) -> Finding:
    apart = abs((store - machine).total_seconds())
    message = f"the store's clock differs by {apart:,.0f} seconds from this machine's"
    remedy = "set this machine's clock, such as by switching on time synchronisation"
    if apart <= _CLOSE:
        return Finding("clock of the store", "ok", message)
    return Finding("clock of the store", "warn" if apart <= _FAR else "fail", message, remedy)


def check_credentials() -> Iterator[Finding]:
    """Check that there are credentials for S3, and say where they come from; they are not shown.

    Yields:
        One finding.
    """
    from tasks.stores.objects.s3_client import s3_client, session_credentials

    client = s3_client()
    method = session_credentials(client).method
    yield Finding("credentials", "ok", f"for {client.meta.endpoint_url}, from {method}")


def check_weights(settings: Settings) -> Iterator[Finding]:
    """Check that the backbone's weights are at hand, or can be had.

    Args:
        settings: Those of backbone and store, with absolute paths.

    Yields:
        One finding.
    """
    backbone = settings.backbone
    if backbone.is_file:
        yield _describe_file(settings)
    elif _is_kept(settings):
        yield Finding("weights", "ok", f"{backbone.weights}: the store keeps a backbone already")
    elif backbone.weights == "imagenet":
        weights = find_imagenet(backbone.sha256)
        if weights.available:
            where = str(weights.path) if weights.cached else f"{weights.host} can be reached (88 MB)"
            yield Finding("weights", "ok", f"imagenet: {where}")
        else:
            message, _, remedy = describe_ways_out(weights).partition("). ")
            yield Finding("weights", "fail", f"{message})", remedy)
    else:
        message = f"{backbone.weights} comes with Pedigree, and tells photographs apart badly"
        yield Finding("weights", "warn", message, "for photographs set backbone.weights to imagenet")


def _is_kept(settings: Settings) -> bool:
    store = Store(settings.store.url)
    try:
        return any(store.objects.entries("backbones/"))
    except PedigreeError:
        return False


def _describe_file(settings: Settings) -> Finding:
    """Describe a weights file: it must be the one that the settings mean, unless the store keeps its backbone."""
    # These imports take a while, and few settings name a file.
    from tasks.features.backbone_cuts import with_chosen_cut
    from tasks.features.embed import check_weights

    store, weights = Store(settings.store.url), settings.backbone.weights
    check_weights(store, with_chosen_cut(settings, store).backbone)
    return Finding("weights", "ok", f"{weights} has the SHA-256 of the settings, or the store keeps its backbone")
