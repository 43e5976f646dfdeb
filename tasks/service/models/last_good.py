"""The last good model: a copy on this machine, with which the service starts where neither store nor MLflow answer."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of
from tasks.domain.images.preprocessing import Limits
from tasks.domain.serving.answers import ModelIdentity
from tasks.service.models.golden_check import GoldenResult, describe_reference
from tasks.service.models.served_model import ServedModel

if TYPE_CHECKING:
    from tasks.modeling.packaged_model import Package

_NOTE = "identity.json"
_SHORT = 16


@dataclass(frozen=True, slots=True)
class LastGood:
    """The folder of copies; each is one folder that is written whole, and only the newest stays.

    Attributes:
        folder: The folder, of one model that is followed.
    """

    folder: Path

    def keep(self, checked: GoldenResult, package: "Package") -> None:
        """Write a copy of a model that passed its golden check, unless it is there already.

        Args:
            checked: The model, and the hash of the features that it gives for the reference pictures.
            package: Its files; that of the backbone may be left out where the copy that is there has it.

        Raises:
            PedigreeError: The copy cannot be written.
        """
        name = sha256_of(list(checked.model.identity.key))[:_SHORT]
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (self.folder / name / _NOTE).exists():
                self._write(name, checked, package)
            self._remove_others(name)
        except OSError as error:
            raise PedigreeError(f"No copy of the model can be kept in {self.folder} ({error.strerror}).") from error

    def _write(self, name: str, checked: GoldenResult, package: "Package") -> None:
        building = Path(mkdtemp(prefix="building-", dir=self.folder))
        package.write(building)
        if not package.backbone:
            self._add_backbone(building, checked.model, package)
        model = checked.model
        note = {
            "identity": asdict(model.identity),
            "reference": describe_reference(model),
            "summary": checked.summary,
        }
        (building / _NOTE).write_text(json.dumps(note, indent=1), encoding="utf-8")
        shutil.rmtree(self.folder / name, ignore_errors=True)
        building.rename(self.folder / name)

    def _add_backbone(self, building: Path, model: ServedModel, package: "Package") -> None:
        """Link the backbone's file from the copy that is there, or write it where that copy has another one."""
        from tasks.modeling.packaged_model import backbone_file

        target, facts = building / backbone_file(package.backbone_facts), dict(package.backbone_facts)
        target.unlink()
        former = self._newest()
        if former and json.loads((former / "model.json").read_text(encoding="utf-8"))["backbone"] == facts:
            os.link(former / target.name, target)
        else:
            target.write_bytes(model.backbone.to_bytes())

    def _remove_others(self, name: str) -> None:
        for path in self.folder.iterdir():
            if path.name != name:
                shutil.rmtree(path, ignore_errors=True)

    def _newest(self) -> Path | None:
        copies = [path for path in self.folder.glob("*") if (path / _NOTE).exists()]
        return max(copies, key=lambda path: (path / _NOTE).stat().st_mtime) if copies else None

    def read(self) -> "KeptModel | None":
        """Return the copy; None where there is none, and raise PedigreeError where it is damaged."""
        folder = self._newest()
        return _read(folder) if folder else None


@dataclass(frozen=True)
class KeptModel:
    """A copy of a model.

    Attributes:
        identity: Which model it is.
        package: Its files.
        reference: What ``describe_reference`` said when it was checked.
        summary: What its golden check saw.
    """

    identity: ModelIdentity
    package: "Package"
    reference: str
    summary: str


def _read(folder: Path) -> KeptModel:
    from tasks.modeling.packaged_model import Package, backbone_file

    try:
        note = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        facts: Mapping[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        named = facts["backbone"]
        network, head = (folder / backbone_file(named)).read_bytes(), (folder / "head.npz").read_bytes()
        identity = ModelIdentity(**note["identity"])
        package = Package(network, named, head, Limits(**facts["limits"]))
        return KeptModel(identity, package, str(note["reference"]), str(note["summary"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PedigreeError(f"The copy of the last good model in {folder} is damaged: remove it.") from error
