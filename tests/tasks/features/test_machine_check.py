"""Features of machines that compute other bits never stand in one table, and each machine is named."""

import json
import os
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from configs.errors import PedigreeError
from tasks.features.machine_check import check_machine, refuse_unlike, suit_machine
from tasks.modeling.backbone.backbone import Backbone, random_backbone, restore_backbone
from tasks.stores.store import Store
from tests.tasks.modeling.processes import run_alone

# What another machine says: one whose oneDNN uses older instructions, which is a difference that a processor makes.
OTHER = """
import json, sys
from configs.errors import PedigreeError
from tasks.features.machine_check import check_machine, suit_machine
from tasks.modeling.backbone.backbone import random_backbone
from tasks.stores.store import Store

store, backbone = Store({url!r}), random_backbone("mixed10", 299)
try:
    check_machine(store, backbone)
except PedigreeError as problem:
    apart = suit_machine(store, backbone, "separate")
    print(json.dumps([str(problem), apart.fingerprint, check_machine(store, apart).reference, apart.facts]))
"""


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    """Smallest network that there is, with random weights."""
    return random_backbone("mixed0", 75)


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="oneDNN is held to instructions of x86")
def test_a_processor_that_gives_other_bits_is_refused_by_name_or_kept_apart(tmp_path: Path) -> None:
    """With older instructions at 299 px it is refused, or has a fingerprint of its own that it can go on with."""
    store, backbone = Store(str(tmp_path)), random_backbone("mixed10", 299)
    first = check_machine(store, backbone)
    printed, _ = run_alone(OTHER.format(url=store.url), environment={**os.environ, "ONEDNN_MAX_CPU_ISA": "SSE41"})
    problem, fingerprint, reference, facts = printed
    assert f"The machine {platform.node()} ({first.processor}, {first.instructions} held to SSE41" in problem
    assert f"than {first}, which began the features of backbone {backbone.fingerprint[:12]}" in problem
    assert reference != first.reference
    assert facts == {**backbone.facts, "reference": reference}
    assert fingerprint == replace(backbone, reference=reference).fingerprint != backbone.fingerprint


def test_the_first_machine_is_the_measure(tmp_path: Path, backbone: Backbone) -> None:
    """A store without a note gets one from whoever computes first; who gives the same bits other names is welcome."""
    store = Store(str(tmp_path))
    machine = check_machine(store, backbone)
    assert store.backbones.recorded_machine(backbone.fingerprint) == machine
    refuse_unlike(store, backbone, replace(machine, node="elsewhere", processor="another", instructions="sve"))
    with pytest.raises(PedigreeError, match=r"The machine elsewhere .* set scale.unlike to separate"):
        refuse_unlike(store, backbone, replace(machine, node="elsewhere", reference="0" * 64))
    assert store.backbones.recorded_machine(backbone.fingerprint) == machine


def test_features_are_only_set_apart_where_they_differ(tmp_path: Path, backbone: Backbone) -> None:
    """Where unlike machines are kept apart, alike ones still share, and so do those that come back."""
    store = Store(str(tmp_path))
    assert suit_machine(store, backbone, "separate").fingerprint == backbone.fingerprint
    machine = check_machine(store, backbone)
    apart = replace(backbone, reference="0" * 64)
    assert restore_backbone(apart.to_bytes(), apart.facts).fingerprint == apart.fingerprint
    assert suit_machine(store, apart, "refuse").fingerprint == apart.fingerprint
    assert suit_machine(store, apart, "separate").fingerprint == backbone.fingerprint
    with pytest.raises(PedigreeError, match="gives other bits"):
        refuse_unlike(store, apart, machine)


def test_a_damaged_note_is_named(tmp_path: Path, backbone: Backbone) -> None:
    """A note that nobody can read stops the run with its name, and is not written over."""
    store = Store(str(tmp_path))
    check_machine(store, backbone)
    (note,) = (tmp_path / "backbones" / "machines").glob("*.json")
    note.write_text(json.dumps({"node": "here"}), encoding="utf-8")
    with pytest.raises(PedigreeError, match=f"{note.name} .* is damaged: remove it"):
        check_machine(store, backbone)
