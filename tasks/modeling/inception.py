"""The architecture: Keras's InceptionV3, and its lower part up to a cut."""

import difflib
from typing import TYPE_CHECKING

from configs.problems import SettingsProblem
from tasks.modeling.determinism import SEED, settle

if TYPE_CHECKING:
    import keras

CUTS = tuple(f"mixed{block}" for block in range(11))


def check_cut(cut: str) -> None:
    """Raise SettingsProblem, naming the nearest cut, where a network cannot be cut."""
    if cut not in CUTS:
        near = difflib.get_close_matches(cut, CUTS, n=1, cutoff=0)[0]
        message = f"backbone.cut is {cut}, and InceptionV3 is cut at mixed0 to mixed10 only: did you mean {near}?"
        raise SettingsProblem(message)


def untrained(size: int) -> "keras.Model":
    """Build the whole network for pictures of (size, size, 3), with the same random weights in every process."""
    settle()
    import keras

    keras.utils.set_random_seed(SEED)
    return keras.applications.InceptionV3(include_top=False, weights=None, input_shape=(size, size, 3))


def cut_at(whole: "keras.Model", cut: str, size: int) -> "keras.Model":
    """Keep the network up to the cut, average its output over the picture, and take bytes as they are."""
    import keras

    check_cut(cut)
    body = keras.Model(whole.input, whole.get_layer(cut).output)
    pixels = keras.Input((size, size, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    pooled = keras.layers.GlobalAveragePooling2D()(body(scaled, training=False))
    return keras.Model(pixels, pooled)
