"""The architecture: Keras's InceptionV3, and its lower part up to a cut."""

import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from configs.errors import SettingsError
from tasks.modeling.determinism import SEED, configure_tensorflow

if TYPE_CHECKING:
    import keras

CUTS = tuple(f"mixed{block}" for block in range(11))
# In pixels. Mixed3 and mixed8 halve what comes in with a window of 3, which below these sizes does not fit any more.
_SMALLEST = (27, 27, 27, 43, 43, 43, 43, 43, 75, 75, 75)
# How many numbers each makes of a picture.
_WIDTHS = (256, 288, 288, 768, 768, 768, 768, 768, 1280, 2048, 2048)


def split_cut(cut: str) -> tuple[str, ...]:
    """Name the layers of a cut, earlier ones first: of mixed8+mixed9 two."""
    return tuple(cut.split("+"))


def feature_width(cut: str) -> int:
    """Count the numbers that a cut makes of a picture."""
    return sum(_WIDTHS[CUTS.index(layer)] for layer in split_cut(cut))


def list_fitting_cuts(size: int) -> tuple[str, ...]:
    """Name the single cuts that leave something of a picture of this size, in pixels."""
    return tuple(cut for cut, smallest in zip(CUTS, _SMALLEST, strict=True) if size >= smallest)


def check_size(cut: str, size: int) -> None:
    """Raise SettingsError, naming the smallest side in pixels that works, where nothing is left of a picture."""
    smallest = max(_SMALLEST[CUTS.index(layer)] for layer in split_cut(cut))
    if size < smallest:
        message = f"backbone.size is {size}, too small for a network cut at {cut}: set it to {smallest} or more"
        raise SettingsError(f"{message}, or choose a lower cut.")


def build_untrained() -> "keras.Model":
    """Build the whole network for pictures of any size, with the same random weights in every process.

    Left to itself, Keras draws each layer's seed from Python's one source of chance, which Prefect's threads use too:
    a layer that came between two of theirs would be another one. So each gets its seed here, in the order of making.
    """
    configure_tensorflow()
    import keras

    network = keras.applications.InceptionV3(include_top=False, weights=None)
    chance = random.Random(SEED)  # noqa: S311 - no secret
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    for layer in sorted(convolutions, key=_layer_number):
        draw = keras.initializers.GlorotUniform(chance.randint(1, 10**9))
        layer.kernel.assign(draw(layer.kernel.shape))
    return rename_layers(network)


def rename_layers(network: "keras.Model") -> "keras.Model":
    """Give the layers the names that they have in a process's first network, and return the network.

    Keras counts on through a process (conv2d_99, conv2d_100), and TensorFlow adds up the gradients of a block's
    branches in the order of their names: what was built before would decide the last bits of what is learned.
    """
    kinds: defaultdict[str, list[keras.Layer]] = defaultdict(list)
    for layer in network.layers:
        if not layer.name.startswith("mixed"):
            kinds[_split_name(layer)[0]].append(layer)
    for kind, layers in kinds.items():
        for number, layer in enumerate(sorted(layers, key=_layer_number)):
            layer.name = f"{kind}_{number}" if number else kind
    return network


def _layer_number(layer: "keras.Layer") -> int:
    """Take a layer's place among all of its kind that the process made from its name."""
    return int(_split_name(layer)[1] or 0)


def _split_name(layer: "keras.Layer") -> tuple[str, str]:
    """Divide a name as Keras counts, max_pooling2d, max_pooling2d_1, max_pooling2d_2 …, into kind and number."""
    kind, _, number = layer.name.rpartition("_")
    return (kind, number) if number.isdigit() else (layer.name, "")


def truncate_network(network: "keras.Model", cut: str, size: int) -> "keras.Model":
    """Keep the network up to the cut, average its output over the picture, and take bytes of (size, size, 3)."""
    import keras

    check_size(cut, size)
    outputs = [network.get_layer(layer).output for layer in split_cut(cut)]
    body = keras.Model(network.input, outputs if len(outputs) > 1 else outputs[0])
    pixels = keras.Input((size, size, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    return keras.Model(pixels, pool_output(body(scaled, training=False)))


def pool_output(outputs: Any) -> Any:  # noqa: ANN401 - Keras's tensor, or a list of them
    """Average a layer's output over the picture; of several layers, put the averages side by side."""
    import keras

    if not isinstance(outputs, list):
        return keras.layers.GlobalAveragePooling2D()(outputs)
    return keras.layers.Concatenate()([pool_output(output) for output in outputs])
