"""Champions of an MLflow registry: the alias says who they are, where no store is at hand."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NoReturn

from configs.errors import PedigreeError
from configs.visible_text import shown
from tasks.domain.hashing import sha256_of
from tasks.domain.images.preprocessing import Limits
from tasks.domain.registry.decisions import RegisteredVersion
from tasks.domain.serving.answers import ModelIdentity
from tasks.service.models.model_source import Challenger, GoldenSet
from tasks.stores.tracking import packages, registry
from tasks.stores.tracking.database import SQLITE, database_path

if TYPE_CHECKING:
    from tasks.modeling.packaged_model import Package
    from tasks.service.models.served_model import ServedModel

_ALIAS, _FOLDER = "champion", "artifacts"
_TAGS = ("pedigree.head", "pedigree.dataset", "pedigree.backbone")


@dataclass(frozen=True)
class RegistryModels:
    """The champions of one registered model.

    Attributes:
        url: MLflow's address.
        name: The name of the registered model.
    """

    url: str
    name: str

    @cached_property
    def place(self) -> str:
        """Return in words where champions are found."""
        return f"the alias {self.name}@{_ALIAS} of MLflow at {shown(self.url)}"

    def champion(self) -> ModelIdentity | None:
        """Return which version the alias names; None where it names none.

        Returns:
            The champion.

        Raises:
            PedigreeError: MLflow does not answer, or Pedigree did not register the version.
        """
        if self.url.startswith(SQLITE) and not database_path(self.url).exists():
            raise PedigreeError(f"There is no MLflow database at {database_path(self.url)}.")
        number = registry.read_aliases_and_tags(self.url, self.name)[0].get(_ALIAS)
        version = registry.version_numbered(self.url, self.name, number) if number else None
        return self._identify(version) if version else None

    def _identify(self, version: RegisteredVersion) -> ModelIdentity:
        if any(not version.tags.get(name) for name in _TAGS):
            raise PedigreeError(f"Version {version.number} of {self.name} was not registered by Pedigree.")
        head, dataset, backbone = (version.tags[name] for name in _TAGS)
        decision = version.tags.get("pedigree.decision", "")
        number = int(decision) if decision.isdecimal() else 0
        return ModelIdentity(self.name, version.number, number, head, backbone, dataset, "", version.run_id)

    def package(self, identity: ModelIdentity, backbone: str) -> "Package":
        """Read a version's files, and hold them against the hashes that its tags name.

        Args:
            identity: The version.
            backbone: The fingerprint of a backbone that is loaded already; empty for none.

        Returns:
            The files; without that of the backbone where it is the one that is loaded.

        Raises:
            PedigreeError: Files are missing, or are not those that the tags name.
        """
        from tasks.modeling.head.head import Head
        from tasks.modeling.packaged_model import Package, backbone_file

        same_backbone = identity.backbone == backbone
        with TemporaryDirectory() as workspace:
            folder = Path(workspace)
            try:
                self._fetch(identity, folder, ["model.json", "head.npz"])
                facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
                network = backbone_file(facts["backbone"])
                self._fetch(identity, folder, [] if same_backbone else [network])
                head, limits = (folder / "head.npz").read_bytes(), Limits(**facts["limits"])
                data = b"" if same_backbone else (folder / network).read_bytes()
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise PedigreeError(f"The files of version {identity.version} in MLflow are damaged.") from error
        if (Head.from_bytes(head).name, sha256_of(facts["backbone"])) != (identity.head, identity.backbone):
            raise PedigreeError(f"MLflow holds other files of version {identity.version} than its tags name.")
        return Package(data, facts["backbone"], head, limits)

    def _fetch(self, identity: ModelIdentity, folder: Path, names: list[str]) -> None:
        packages.fetch_files(self.url, self.name, identity.version, [f"{_FOLDER}/{name}" for name in names], folder)

    def golden(self, identity: ModelIdentity, package: "Package") -> GoldenSet | None:
        """Return None: a registry holds no test images.

        Args:
            identity: The version.
            package: Its files.

        Returns:
            None.
        """
        del self, identity, package
        return None

    def knowledge(self, model: "ServedModel", most: int) -> NoReturn:
        """Raise PedigreeError: a registry holds no training images.

        Args:
            model: The model.
            most: The most training images that would be held in memory.

        Raises:
            PedigreeError: Always.
        """
        del model, most
        raise PedigreeError(f"{self.place} holds no training images: name the store to be told why.")

    def photograph(self, image: str) -> NoReturn:
        """Raise PedigreeError: a registry holds no training images."""
        raise PedigreeError(f"{self.place} holds no training image {image}.")

    def challenger(self) -> None:
        """Return None: which version waits for a person stands in the ledger alone."""

    def challenger_head(self, challenger: Challenger) -> NoReturn:
        """Raise PedigreeError: a registry names no challenger that waits."""
        raise PedigreeError(f"{self.place} names no challenger {challenger.identity.short}.")
