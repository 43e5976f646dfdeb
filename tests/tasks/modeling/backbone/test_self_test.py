"""A machine is known by the bits that it gives for three pictures that no library can change."""

from hashlib import sha256

import numpy as np

from tasks.modeling.backbone.backbone import Backbone
from tasks.modeling.backbone.self_test import check_determinism, examine_machine, reference_pictures


def test_the_reference_pictures_never_change() -> None:
    """They have the bytes that they had when the first store wrote down what came of them."""
    pictures = np.stack(reference_pictures(75))
    assert (pictures.shape, str(pictures.dtype)) == ((3, 75, 75, 3), "uint8")
    assert sha256(pictures.tobytes()).hexdigest() == "6286e6f2be42d33e9931b190072912bfe7a65db9de9b3de01cd0ffea33b11a8f"


def test_a_machine_says_who_it_is(backbone: Backbone) -> None:
    """It names itself, its processor, its instructions, its engine and the hash of its features."""
    machine = examine_machine(backbone)
    assert all(machine.to_dict().values())
    assert machine.engine == backbone.facts["engine"]
    assert machine.reference == check_determinism(backbone)
