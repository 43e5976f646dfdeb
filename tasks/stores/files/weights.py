"""Backbones, heads and checkpoints, kept under their names so that a later run needs no download and no training."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configs.errors import PedigreeError
from tasks.domain.training.machines import Machine
from tasks.stores.files.checksums import Checksums
from tasks.stores.objects.object_store import Bucket, ObjectChangedError

_CHECKPOINTS = "checkpoints/"


@dataclass(frozen=True)
class Backbones:
    """The files ``backbones/<fingerprint>.npz`` and ``.json``: weights, and the facts that a fingerprint covers.

    One that ONNX Runtime computes with has a graph as well, ``backbones/<SHA-256>.onnx``, which its facts name.
    """

    objects: Bucket
    checksums: Checksums

    def write(self, fingerprint: str, data: bytes, facts: Mapping[str, Any], graph: bytes = b"") -> None:
        """Write a backbone; the first one of a fingerprint stands.

        Args:
            fingerprint: The hash that names it.
            data: Its weights file.
            facts: What the fingerprint covers.
            graph: The graph that the facts name; empty where they name none.
        """
        if graph:
            self.checksums.create(_graph_key(facts), graph)
        self.checksums.create(f"backbones/{fingerprint}.npz", data)
        data = json.dumps(facts, sort_keys=True, indent=1).encode()
        self.checksums.create(f"backbones/{fingerprint}.json", data)

    def has(self, fingerprint: str) -> bool:
        """Check whether the store holds a backbone, its weights and its facts."""
        return len(list(self.objects.entries(f"backbones/{fingerprint}."))) > 1

    def read(self, fingerprint: str) -> tuple[bytes, dict[str, Any]]:
        """Return a backbone's weights file and its facts; raise PedigreeError where one is missing or damaged."""
        return self.read_weights(fingerprint), self.read_facts(fingerprint)

    def read_weights(self, fingerprint: str) -> bytes:
        """Return a backbone's weights file; raise PedigreeError where it is missing."""
        return _read(self.objects, f"backbones/{fingerprint}.npz")

    def read_facts(self, fingerprint: str) -> dict[str, Any]:
        """Return what a backbone's fingerprint covers; raise PedigreeError where the file is missing or damaged."""
        key = f"backbones/{fingerprint}.json"
        try:
            return {**json.loads(_read(self.objects, key))}
        except (ValueError, TypeError):
            message = f"The file {key} in {self.objects.url} is damaged: put it back from a copy of the store."
            raise PedigreeError(message) from None

    def read_graph(self, facts: Mapping[str, Any]) -> bytes:
        """Return the graph that a backbone's facts name; raise PedigreeError where it is missing."""
        return _read(self.objects, _graph_key(facts))

    def remember(self, outside: str, facts: Mapping[str, str]) -> None:
        """Write down which backbone came of weights from outside.

        Args:
            outside: Hash of all that decided it.
            facts: The ``fingerprint`` of the backbone, and where its weights came from.
        """
        data = json.dumps(facts, sort_keys=True, indent=1).encode()
        self.checksums.create(f"backbones/outside/{outside}.json", data)

    def remembered(self, outside: str) -> str | None:
        """Return the fingerprint of the backbone that came of weights from outside.

        Args:
            outside: Hash of all that decided it.

        Returns:
            None where the store lacks the note or the backbone.

        Raises:
            PedigreeError: The note is damaged.
        """
        key = f"backbones/outside/{outside}.json"
        try:
            fingerprint = str(json.loads(self.objects.read(key))["fingerprint"])
        except ObjectChangedError:
            return None
        except (ValueError, KeyError, TypeError):
            message = f"The file {key} in {self.objects.url} is damaged: remove it, and the next run writes it anew."
            raise PedigreeError(message) from None
        return fingerprint if self.has(fingerprint) else None

    def first_machine(self, fingerprint: str, machine: Machine) -> Machine:
        """Return the machine that began a backbone's features, which is this one where none has yet.

        Args:
            fingerprint: The hash that names the backbone.
            machine: The machine at hand.

        Returns:
            The machine that was written down first.
        """
        if recorded := self.recorded_machine(fingerprint):
            return recorded
        data = json.dumps(machine.to_dict(), sort_keys=True, indent=1).encode()
        self.checksums.create(_machine_key(fingerprint), data)
        return self.recorded_machine(fingerprint) or machine

    def recorded_machine(self, fingerprint: str) -> Machine | None:
        """Return the machine that began a backbone's features.

        Args:
            fingerprint: The hash that names the backbone.

        Returns:
            The machine; None where none was written down.

        Raises:
            PedigreeError: The note is damaged.
        """
        key = _machine_key(fingerprint)
        try:
            return Machine(**json.loads(self.objects.read(key)))
        except ObjectChangedError:
            return None
        except (ValueError, TypeError):
            message = f"The file {key} in {self.objects.url} is damaged: remove it, and the next run writes it anew."
            raise PedigreeError(message) from None


def _machine_key(fingerprint: str) -> str:
    return f"backbones/machines/{fingerprint}.json"


def _graph_key(facts: Mapping[str, Any]) -> str:
    return f"backbones/{facts['graph']}.onnx"


@dataclass(frozen=True)
class Heads:
    """The files ``heads/<name>.npz``, each under the hash of its weights."""

    objects: Bucket
    checksums: Checksums

    def write(self, name: str, data: bytes) -> None:
        """Write a head; the first one of a name stands.

        Args:
            name: Hash of its weights.
            data: Its file.
        """
        self.checksums.create(f"heads/{name}.npz", data)

    def has(self, name: str) -> bool:
        """Check whether the store holds a head."""
        return any(self.objects.entries(f"heads/{name}.npz"))

    def read(self, name: str) -> bytes:
        """Return a head's file; raise PedigreeError where it is missing."""
        return _read(self.objects, f"heads/{name}.npz")


def _read(objects: Bucket, key: str) -> bytes:
    try:
        return objects.read(key)
    except ObjectChangedError:
        message = f"The file {key} is missing in {objects.url}: put it back from a copy of the store."
        raise PedigreeError(message) from None


@dataclass(frozen=True)
class CheckpointStore:
    """The checkpoints of one fine-tuning, which is named by the hash of all that decides it."""

    objects: Bucket
    name: str

    def last(self) -> tuple[int, bytes] | None:
        """Return the newest checkpoint with the number of its epoch, if there is one."""
        keys = self._keys()
        for epoch in sorted(keys, reverse=True):
            try:
                return epoch, self.objects.read(keys[epoch])
            except ObjectChangedError:
                # The same fine-tuning runs twice, and the other one has just come further or ended.
                continue
        return None

    def keep(self, epoch: int, data: bytes) -> None:
        """Write a checkpoint, whole or not at all; the former ones go when it stands.

        Args:
            epoch: Number of the epoch that it was made after.
            data: The file.
        """
        self.objects.create(f"{_CHECKPOINTS}{self.name}/{epoch}.npz", data)
        for former, key in self._keys().items():
            if former < epoch:
                self.objects.remove(key)

    def remove(self, epoch: int) -> None:
        """Remove one checkpoint, such as a damaged one."""
        self.objects.remove(f"{_CHECKPOINTS}{self.name}/{epoch}.npz")

    def clear(self) -> None:
        """Remove what this fine-tuning left, and what others left that never ended; they can begin again."""
        for entry in list(self.objects.entries(_CHECKPOINTS)):
            self.objects.remove(entry.key)

    def _keys(self) -> dict[int, str]:
        prefix = f"{_CHECKPOINTS}{self.name}/"
        keys = [entry.key for entry in self.objects.entries(prefix)]
        return {int(key.removeprefix(prefix).removesuffix(".npz")): key for key in keys}
