"""Model sources: where the service finds who is champion, and the files of that model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.registry.waiting import WaitsFor
from tasks.domain.serving.answers import ModelIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tasks.modeling.head.head import Head
    from tasks.modeling.packaged_model import Package
    from tasks.service.models.knowledge import Knowledge
    from tasks.service.models.served_model import ServedModel


@dataclass(frozen=True)
class GoldenSet:
    """Test images, and what the evaluation says about them.

    Attributes:
        images: The files by the images' names.
        expected: The evaluation's predictions, in the order of the images.
        tolerance: The widest difference of a probability that counts as none on a machine of another kind.
        reference: The hash of the reference pictures' features on the machine that embedded; empty where unknown.
    """

    images: "Mapping[str, bytes]"
    expected: Predictions
    tolerance: float
    reference: str


@dataclass(frozen=True, slots=True)
class Challenger:
    """A model that waits for a person, or for more data.

    Attributes:
        identity: Which model it is.
        run: The MLflow run in which it was trained.
        waits_for: What would make it champion.
    """

    identity: ModelIdentity
    run: str
    waits_for: WaitsFor = "a person"


class ModelSource(Protocol):
    """A place that says who is champion and holds its files."""

    @property
    def place(self) -> str:
        """Return in words where champions are found, such as the ledger of a store."""

    def champion(self) -> ModelIdentity | None:
        """Return who is champion now, None before there is one; raise PedigreeError where that cannot be learned."""

    def package(self, identity: ModelIdentity, backbone: str) -> "Package":
        """Read a model's files.

        Args:
            identity: The model.
            backbone: The fingerprint of a backbone that is loaded already, whose file is left out; empty for none.

        Returns:
            The files; without that of the backbone where it is the one that is loaded.
        """

    def golden(self, identity: ModelIdentity, package: "Package") -> GoldenSet | None:
        """Return what the model's answers are checked with before it serves.

        Args:
            identity: The model.
            package: Its files.

        Returns:
            Test images with the evaluation's predictions; None where the source has none.
        """

    def knowledge(self, model: "ServedModel", most: int) -> "Knowledge":
        """Read the images that a model was trained on and tested with, by which its answers are explained.

        Args:
            model: The model.
            most: The most training images that are held in memory.

        Returns:
            What is known of them; raises PedigreeError, which says why, where that is nothing.
        """

    def photograph(self, image: str) -> bytes:
        """Read a training photograph by its name; raise PedigreeError where it is not there any more."""

    def challenger(self) -> Challenger | None:
        """Return the model that waits for a person or for more data; None where none does, or where it is not known."""

    def challenger_head(self, challenger: Challenger) -> "Head":
        """Read a challenger's head; raise PedigreeError where it is damaged or lost."""
