"""Champions of a store: the ledger says who they are, and the store holds their files; MLflow is not asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from configs.errors import PedigreeError
from configs.sections import Images
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.gate.serving_check import SAMPLE, serving_tolerance
from tasks.domain.images.preprocessing import limits_from_settings
from tasks.domain.registry.decisions import Decision, find_champion
from tasks.domain.registry.waiting import find_waiting_challenger
from tasks.domain.serving.answers import ModelIdentity
from tasks.features.stored_models import backbone_files, head_bytes
from tasks.service.models.knowledge import Knowledge, build_knowledge
from tasks.service.models.model_source import Challenger, GoldenSet
from tasks.stores.store import Store

if TYPE_CHECKING:
    from tasks.modeling.head.head import Head
    from tasks.modeling.packaged_model import Package
    from tasks.service.models.served_model import ServedModel


@dataclass
class StoreModels:
    """The champions of one store.

    Attributes:
        store: The store.
        name: The name of the registered model, which answers repeat.
    """

    store: Store
    name: str

    def __post_init__(self) -> None:
        """Begin without having read the ledger."""
        self._files: Sequence[str] | None = None
        self._champion: ModelIdentity | None = None
        self._challenger: Challenger | None = None

    @cached_property
    def place(self) -> str:
        """Return in words where champions are found."""
        return f"the ledger of {self.store.url}"

    def champion(self) -> ModelIdentity | None:
        """Return who is champion; while the ledger has no new entry that costs one listing.

        Returns:
            The champion; None before there is one.
        """
        files = self.store.ledger.files()
        if files != self._files:
            if not files:
                self.store.check_format()
                self.store.objects.check()
            entries = self.store.ledger.verified_entries()
            self._champion = identify_champion(entries, self.name)
            self._challenger = identify_challenger(entries, self.name)
            self._files = files
        return self._champion

    def package(self, identity: ModelIdentity, backbone: str) -> "Package":
        """Read a model's files from the store, and hold each against the hash that names it.

        Args:
            identity: The model.
            backbone: The fingerprint of a backbone that is loaded already; empty for none.

        Returns:
            The files; without that of the backbone where it is the one that is loaded.
        """
        from tasks.modeling.packaged_model import Package

        record = self.store.records.read(identity.head, identity.dataset)
        limits = limits_from_settings(Images.model_validate(record.settings.get("images", {})))
        if identity.backbone == backbone:
            network, facts = b"", self.store.backbones.read_facts(backbone)
        else:
            network, facts = backbone_files(self.store, identity.backbone)
        return Package(network, facts, head_bytes(self.store, identity.head), limits)

    def golden(self, identity: ModelIdentity, package: "Package") -> GoldenSet | None:
        """Take a few test images, the same ones each time, as far as the store has them.

        Args:
            identity: The model.
            package: Its files.

        Returns:
            The images with the evaluation's predictions; None where none is left.
        """
        from tasks.modeling.head.head import Head

        # The store that is followed would keep what it has read of a dataset version for as long as the service runs.
        store = Store(self.store.url)
        rows = store.manifests.columns(identity.dataset).of_split(Split.TEST)
        stored = store.images.salvage(sorted(rows.images.to_pylist())[:SAMPLE])
        images = {image: data for image, data in stored if not isinstance(data, PedigreeError)}
        if not images:
            return None
        head = Head.from_bytes(package.head)
        features = store.features(identity.backbone, len(head.weights)).read(list(images))
        expected = Predictions(head.classes, head.probabilities(np.asarray(features, np.float32)), head.threshold)
        machine = store.backbones.recorded_machine(identity.backbone)
        tolerance = serving_tolerance(package.backbone_facts)
        return GoldenSet(images, expected, tolerance, machine.reference if machine else "")

    def knowledge(self, model: "ServedModel", most: int) -> Knowledge:
        """Read training and test images of a model with their stored features.

        Args:
            model: The model.
            most: The most training images that are held in memory.

        Returns:
            What is known of them.

        Raises:
            PedigreeError: There are too many, or their features are not stored.
        """
        store = Store(self.store.url)
        rows = store.manifests.columns(model.identity.dataset)
        training, test = (rows.of_split(split) for split in (Split.TRAIN, Split.TEST))
        if len(training) > most:
            raise PedigreeError(
                f"The model was trained on {len(training):,} images, more than serve.why_images ({most:,}) allows to "
                "hold in memory."
            )
        features = store.features(model.identity.backbone, len(model.head.weights))
        vectors = [features.read(split.images.to_pylist()) for split in (training, test)]
        infos = self.store.images.read_infos([*training.images.to_pylist(), *test.images.to_pylist()])
        return build_knowledge(model.identity.key, model.head, (training, vectors[0]), (test, vectors[1]), infos)

    def challenger(self) -> Challenger | None:
        """Return the model that waits for a person or for more data, as the last look at the ledger saw it."""
        return self._challenger

    def challenger_head(self, challenger: Challenger) -> "Head":
        """Read a challenger's head; raise PedigreeError where it is damaged or lost."""
        from tasks.modeling.head.head import Head

        return Head.from_bytes(head_bytes(self.store, challenger.identity.head))

    def photograph(self, image: str) -> bytes:
        """Read a training photograph by its name; raise PedigreeError where it is not there any more."""
        return next(data for _, data in self.store.images.read([image]))


def identify_champion(entries: Sequence[Decision], name: str) -> ModelIdentity | None:
    """Return which model serves, and since which decision.

    Args:
        entries: The ledger.
        name: The name of the registered model.

    Returns:
        The champion; None where there is none.
    """
    champion = find_champion(entries)
    return identify_model(entries, champion, name) if champion else None


def identify_model(entries: Sequence[Decision], decision: Decision, name: str) -> ModelIdentity:
    """Return which model a decision is about.

    Args:
        entries: The ledger.
        decision: An entry about the model, the last one where it does not serve.
        name: The name of the registered model.

    Returns:
        The model, with the decision since which it serves, or the given one where another serves.
    """
    champion = find_champion(entries)
    serves = champion is not None and champion.model == decision.model
    judged = next((entry for entry in entries if entry.model == decision.model and entry.decided_by_gate), decision)
    return _identify(decision, name, _serving_since(entries) if serves else decision.number, judged.time)


def identify_challenger(entries: Sequence[Decision], name: str) -> Challenger | None:
    """Return which model waits for a person, or for more data.

    Args:
        entries: The ledger.
        name: The name of the registered model.

    Returns:
        The challenger; None where none waits.
    """
    waiting = find_waiting_challenger(entries)
    if waiting is None:
        return None
    last = waiting.decision
    return Challenger(_identify(last, name, last.number, last.time), last.run_id, waiting.waits_for)


def _identify(entry: Decision, name: str, decision: int, trained: str) -> ModelIdentity:
    return ModelIdentity(
        name=name,
        version=entry.model_version,
        decision=decision,
        head=entry.head,
        backbone=entry.backbone,
        dataset=entry.dataset,
        trained=trained,
        run=entry.run_id,
    )


def _serving_since(entries: Sequence[Decision]) -> int:
    """Return the number of the decision since which the last champion serves without a break."""
    last = entries[-1]
    for entry in reversed(entries):
        if entry.champion != last.champion:
            break
        last = entry
    return last.number
