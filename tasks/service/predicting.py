"""Predictions for files: the model and the functions with which the service answers, without a server."""

import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from configs.cores import count_cores
from configs.errors import PedigreeError, SettingsError
from configs.servers import Serve
from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.rejections import Reason, Rejection
from tasks.domain.ingestion.source_objects import SourceFilter
from tasks.domain.registry.decisions import Decision
from tasks.modeling.packaged_model import Prediction, reject, served_facts
from tasks.service.models.served_model import ServedModel, build_model
from tasks.service.models.store_models import StoreModels, identify_model

# At a terminal nobody else waits: the model's own limits hold, and a photograph may take its time.
_BOUNDS = Serve(max_megabytes=1000, max_megapixels=1000, decode_seconds=60)
# Files whose answers are waited for at once.
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class FilePrediction:
    """What a model says about one file.

    Attributes:
        file: The file, as it was named.
        prediction: The answer, or why there is none.
    """

    file: str
    prediction: Prediction

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"file": self.file, **asdict(self.prediction)}


def list_photographs(paths: Sequence[Path]) -> list[Path]:
    """List files, and all files below folders but those that a source passes over too.

    Args:
        paths: Files and folders.

    Returns:
        The files; those of a folder are sorted by their paths. A path that is not there stays in the list.

    Raises:
        SettingsError: There is no file at all.
    """
    files = [file for path in paths for file in (_files_below(path) if path.is_dir() else [path])]
    if not files:
        raise SettingsError(f"There is no file in {', '.join(map(str, paths))}: name photographs, or a folder of them.")
    return files


def _files_below(folder: Path) -> list[Path]:
    names = SourceFilter()
    keys = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not names.skips_folder(name)]
        keys += [Path(root, name) for name in files if not (name.startswith(".") or names.skips_file(name))]
    return sorted(keys)


@contextmanager
def open_model(models: StoreModels, word: str) -> Iterator[ServedModel]:
    """Load a model of a store as the service does; its decoding processes end with the context.

    Args:
        models: The models of the store.
        word: A model version, an MLflow run, or the first digits of a head's hash; empty for the champion.

    Yields:
        The model.

    Raises:
        PedigreeError: The store has no champion, or a file of the model is lost or damaged.
        SettingsError: The ledger knows no such model.
    """
    from tasks.modeling.backbone.backbone import restore_backbone

    identity = identify_model(models.store.ledger.entries(), _find_decision(models, word), models.name)
    package = models.package(identity, "")
    backbone = restore_backbone(package.backbone, served_facts(package.backbone_facts))
    model = build_model(identity, backbone, package, _BOUNDS, None)
    try:
        yield model
    finally:
        model.squares.close()


def _find_decision(models: StoreModels, word: str) -> Decision:
    store = models.store
    store.objects.check()
    store.check_format()
    if word:
        return store.ledger.named(word)
    champion = store.ledger.champion()
    if champion is None:
        raise PedigreeError(
            f"The store {store.url} has no champion yet: pedigree retrain makes one, and --version names a model that "
            "was trained."
        )
    return champion


def predict_files(model: ServedModel, files: Sequence[Path]) -> Iterator[FilePrediction]:
    """Predict files, as many at once as there are cores; one that cannot be used stops no other.

    Args:
        model: The model.
        files: The files.

    Yields:
        One prediction a file, in their order.
    """
    with ThreadPoolExecutor(count_cores(), thread_name_prefix="predict") as pool:
        for first in range(0, len(files), _AT_ONCE):
            part = files[first : first + _AT_ONCE]
            predictions = pool.map(lambda file: _predict_file(model, file), part)
            yield from (FilePrediction(str(file), answer) for file, answer in zip(part, predictions, strict=True))


def _predict_file(model: ServedModel, file: Path) -> Prediction:
    data = _read(file, model.squares.limits)
    if isinstance(data, Rejection):
        return reject(data)
    try:
        return model.predict(data)
    except PedigreeError as error:
        return reject(Rejection(Reason.DECODER_DIED, str(error)))


def _read(file: Path, limits: Limits) -> bytes | Rejection:
    """Read a file, and no more of it than shows that it is too large; a pipe or a device is not opened."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return Rejection(Reason.NOT_A_FILE, "it is no regular file")
        with file.open("rb") as opened:
            return opened.read(limits.max_bytes + 1)
    except (OSError, ValueError) as error:
        return Rejection(Reason.CANNOT_BE_READ, getattr(error, "strerror", None) or "no file can have this name")
