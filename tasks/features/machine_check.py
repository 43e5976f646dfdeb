"""Machine check: features of machines that give unlike bits never stand in one table."""

from dataclasses import replace
from typing import TYPE_CHECKING

from configs.errors import UnlikeMachineError
from tasks.domain.training.machines import Machine, describe_unlike
from tasks.stores.store import Store

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone


def check_machine(store: Store, backbone: "Backbone") -> Machine:
    """Check that this machine gives the bits of those that computed a backbone's stored features.

    The first machine that computes features of a backbone is the one that others are compared with. In a store of an
    earlier Pedigree, which wrote none down, it is the first one that comes.

    Args:
        store: Holds the features.
        backbone: The backbone.

    Returns:
        This machine.

    Raises:
        PedigreeError: The same picture gives different features twice, or other features than on the first machine.
    """
    from tasks.modeling.backbone.self_test import examine_machine

    machine = examine_machine(backbone)
    refuse_unlike(store, backbone, machine)
    return machine


def refuse_unlike(store: Store, backbone: "Backbone", machine: Machine) -> None:
    """Check that a machine, this one or a worker, gives the bits of the one that began a backbone's features.

    Args:
        store: Holds the features.
        backbone: The backbone.
        machine: What the machine told of itself.

    Raises:
        UnlikeMachineError: It gives others; the sentence names both machines.
    """
    first = store.backbones.first_machine(backbone.fingerprint, machine)
    if machine.reference != (backbone.reference or first.reference):
        raise UnlikeMachineError(describe_unlike(machine, first, backbone.fingerprint))


def suit_machine(store: Store, backbone: "Backbone", unlike: str) -> "Backbone":
    """Return the backbone whose features this machine may compute.

    Args:
        store: Holds backbones and features.
        backbone: The backbone that is wanted.
        unlike: What ``scale.unlike`` says: refuse or separate.

    Returns:
        The same backbone; or, where unlike machines are kept apart and this one is unlike, one with a fingerprint of
        its own.
    """
    if unlike == "refuse":
        return backbone
    from tasks.modeling.backbone.self_test import check_determinism

    reference, common = check_determinism(backbone), replace(backbone, reference="")
    first = store.backbones.recorded_machine(common.fingerprint)
    return common if first is None or first.reference == reference else replace(common, reference=reference)
