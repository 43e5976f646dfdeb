"""Exporting a model: what ``pedigree model export`` writes, and the proof that it answers as it was evaluated."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from configs.card import Card
from configs.errors import PedigreeError
from configs.sections import Images
from tasks.domain.datasets.splits import Split
from tasks.domain.gate.serving_check import SAMPLE, serving_tolerance
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.preprocessing import CONTRACT, limits_from_settings
from tasks.exporting.card import Agreement, ModelDetails, write_card
from tasks.exporting.golden import draw_golden_pictures, expect_answers, expect_evaluated, write_pictures
from tasks.features.embedding import predict
from tasks.features.stored_models import backbone_files, head_bytes
from tasks.serving.carried_code import PIXELS, copy_code, installed_versions
from tasks.stores.files.export_folder import new_folder
from tasks.stores.store import Store

if TYPE_CHECKING:
    from tasks.domain.registry.decisions import Decision
    from tasks.domain.registry.model_record import Record
    from tasks.modeling.head.head import Head
    from tasks.modeling.packaged_model import Package, Predictor

_PROGRAM, _CONFIG, _GRAPH, _CARD, _SUMS = "predict.py", "config.json", "model.onnx", "README.md", "SHA256SUMS"
_PACKAGES = ("numpy", "onnxruntime", "pillow")
# A model that takes so many seconds to load and to answer a few pictures is of no use to anybody.
_PATIENCE = 600


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """What was written where, and how near its answers are to those that were evaluated.

    Attributes:
        model_version: The model version.
        head: The hash of its head.
        folder: The folder.
        files: The number of files in it.
        size: Their bytes together.
        pictures: The pictures that it was asked in a process of its own: golden ones, and test photographs.
        widest: The widest difference of a probability.
        tolerance: The difference that is allowed.
        license: The licence on its card; empty where nobody has chosen one.
    """

    model_version: str
    head: str
    folder: str
    files: int
    size: int
    pictures: int
    widest: float
    tolerance: float
    license: str

    def to_dict(self) -> dict[str, Any]:
        """Return the export as values that JSON can hold."""
        return asdict(self)


def export_model(store: Store, word: str, target: Path, card: Card, name: str) -> ExportedModel:
    """Write a model as a folder that stands alone, and check in another process that it answers as evaluated.

    Args:
        store: The store that holds the model.
        word: A model version, ``champion``, an MLflow run, or the beginning of a head's hash.
        target: The folder, new or empty.
        card: The licence and whatever else only a person can say on the model card.
        name: The name under which the model is registered.

    Returns:
        What was written, and what the check found.
    """
    store.objects.check()
    store.check_format()
    decision = store.ledger.named(word)
    record = store.records.read(decision.head, decision.dataset)
    with new_folder(target) as folder, TemporaryDirectory() as workspace:
        package = _read_package(store, decision, record)
        tolerance = serving_tolerance(package.backbone_facts)
        predictor = _write_model(folder, package, decision, tolerance)
        photographs = Path(workspace) / "photographs"
        _write_photographs(store, decision, record, predictor, photographs)
        _write_sums(folder)
        agreement = _check(folder, photographs)
        write_card(folder / _CARD, store, ModelDetails(name, decision, record), card, agreement)
        files = _write_sums(folder)
    return ExportedModel(
        model_version=decision.model_version,
        head=decision.head,
        folder=str(target),
        files=len(files) + 1,
        size=sum(path.stat().st_size for path in target.rglob("*") if path.is_file()),
        pictures=agreement.pictures,
        widest=agreement.widest,
        tolerance=tolerance,
        license=card.license,
    )


def _read_package(store: Store, decision: "Decision", record: "Record") -> "Package":
    """Read the model's files from the store, each held against the hash that names it."""
    from tasks.modeling.packaged_model import Package

    limits = limits_from_settings(Images.model_validate(record.settings.get("images", {})))
    return Package(*backbone_files(store, decision.backbone), head_bytes(store, decision.head), limits)


def _write_model(folder: Path, package: "Package", decision: "Decision", tolerance: float) -> "Predictor":
    """Write everything but the card, and return the model as Pedigree serves it."""
    from tasks.modeling.backbone.backbone import restore_backbone
    from tasks.modeling.export import predict as program
    from tasks.modeling.export.graph import export_backbone, join_head
    from tasks.modeling.head.head import Head
    from tasks.modeling.packaged_model import Predictor, backbone_file, served_facts

    facts, head = package.backbone_facts, Head.from_bytes(package.head)
    config = _describe(package, head, decision, tolerance)
    notes = {"labels": json.dumps(head.classes, ensure_ascii=False), "head": head.name, "backbone": decision.backbone}
    graph = export_backbone(package.backbone, facts)
    (folder / _GRAPH).write_bytes(join_head(graph, head, facts.get("precision", "float32"), notes))
    (folder / "weights").mkdir()
    (folder / "weights" / backbone_file(facts)).write_bytes(package.backbone)
    (folder / "weights" / "head.npz").write_bytes(package.head)
    (folder / _CONFIG).write_text(json.dumps(config, ensure_ascii=False, indent=1), encoding="utf-8")
    (folder / "requirements.txt").write_text(_requirements(), encoding="utf-8")
    shutil.copyfile(program.__file__, folder / _PROGRAM)
    copy_code(folder / "code", PIXELS)
    predictor = Predictor(restore_backbone(package.backbone, served_facts(facts)), head, package.limits)
    pictures = draw_golden_pictures()
    write_pictures(folder / "golden", pictures, expect_answers(predictor, pictures))
    return predictor


def _describe(package: "Package", head: "Head", decision: "Decision", tolerance: float) -> dict[str, Any]:
    """Describe the model for programs: what ``predict.py`` reads, and what names it."""
    facts = package.backbone_facts
    return {
        "labels": list(head.classes),
        "size": facts["size"],
        "threshold": head.threshold,
        "temperature": head.temperature,
        "limits": asdict(package.limits),
        "pixel_contract": CONTRACT,
        "tolerance": tolerance,
        "head": head.name,
        "backbone": {"fingerprint": decision.backbone, **facts},
        "dataset": decision.dataset,
        "model_version": decision.model_version,
    }


def _requirements() -> str:
    """Pin what the program imports, and what that needs in turn, to the versions that were checked."""
    return "".join(f"{name}=={version}\n" for name, version in sorted(installed_versions(_PACKAGES).items()))


def _write_photographs(
    store: Store, decision: "Decision", record: "Record", predictor: "Predictor", folder: Path
) -> None:
    """Write a few test photographs, which do not leave with the export, with the answers they were evaluated with."""
    rows = store.manifests.columns(decision.dataset).of_split(Split.TEST)
    stored = store.images.salvage(sorted(rows.images.to_pylist())[:SAMPLE])
    images = {image: data for image, data in stored if not isinstance(data, PedigreeError)}
    evaluated = predict(store, record.made, decision.head, list(images)).probabilities
    answers = expect_evaluated(images, evaluated, predictor.backbone.size, predictor.limits)
    write_pictures(folder, images, answers)


def _write_sums(folder: Path) -> list[Path]:
    """Write the SHA-256 of every file but this one, as ``sha256sum --check`` reads it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _SUMS)
    lines = (f"{sha256_of_bytes(path.read_bytes())}  {path.relative_to(folder).as_posix()}\n" for path in paths)
    (folder / _SUMS).write_text("".join(lines), encoding="utf-8")
    return paths


def _check(folder: Path, photographs: Path) -> Agreement:
    """Let the folder's own program check it, in a process that knows neither this one nor where it was started.

    Returns:
        How near its answers are to those that were evaluated.

    Raises:
        PedigreeError: It answers otherwise, or not at all.
    """
    command = [sys.executable, "-I", "-B", str(folder / _PROGRAM), "--check", "--json", "--also", str(photographs)]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command, cwd=photographs, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise PedigreeError(f"The exported model did not answer within {_PATIENCE // 60} minutes.") from None
    try:
        result = json.loads(done.stdout)
    except ValueError:
        complaint = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        raise PedigreeError(f"The exported model does not run, and nothing was written: {complaint}.") from None
    if result["problems"]:
        raise PedigreeError(f"The exported model was not written, since it answers otherwise: {result['problems'][0]}")
    return Agreement(result["pictures"], result["widest"], result["tolerance"])
