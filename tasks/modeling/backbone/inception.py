"""The architecture of the backbone: Keras's InceptionV3, and its lower part up to a cut."""

import random
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from configs.errors import SettingsError
from tasks.modeling.backbone.blocks import build_network
from tasks.modeling.determinism import SEED, configure_tensorflow

if TYPE_CHECKING:
    import keras

CUTS = tuple(f"mixed{block}" for block in range(11))
# The smallest side of a picture for each cut, in pixels: mixed3 and mixed8 halve their input with a window of 3, which
# does not fit into less.
_SMALLEST = (27, 27, 27, 43, 43, 43, 43, 43, 75, 75, 75)
# The number of features of each cut.
_WIDTHS = (256, 288, 288, 768, 768, 768, 768, 768, 1280, 2048, 2048)


def split_cut(cut: str) -> tuple[str, ...]:
    """Return the layers of a cut, earlier ones first; mixed8+mixed9 has two."""
    return tuple(cut.split("+"))


def feature_width(cut: str) -> int:
    """Return the number of features that a cut gives."""
    return sum(_WIDTHS[CUTS.index(layer)] for layer in split_cut(cut))


def list_fitting_cuts(size: int) -> tuple[str, ...]:
    """Return the single cuts that a picture of this side, in pixels, is large enough for."""
    return tuple(cut for cut, smallest in zip(CUTS, _SMALLEST, strict=True) if size >= smallest)


def check_size(cut: str, size: int) -> None:
    """Check that pictures are large enough for a cut.

    Args:
        cut: The layer at which the network ends.
        size: The side of a picture in pixels.

    Raises:
        SettingsError: The pictures are too small; the sentence names the smallest side that works.
    """
    smallest = max(_SMALLEST[CUTS.index(layer)] for layer in split_cut(cut))
    if size < smallest:
        message = f"backbone.size is {size}, too small for a network cut at {cut}: set it to {smallest} or more"
        raise SettingsError(f"{message}, or choose a lower cut.")


def build_untrained(cut: str = CUTS[-1]) -> "keras.Model":
    """Build the network for pictures of any size, with the same random weights in every process.

    Keras would draw each layer's seed from Python's global random generator, which Prefect's threads use as well: a
    draw of theirs in between would change the weights. So each layer gets its own seed here, in the order of creation.

    Args:
        cut: The layer or layers at which the network is to end; what comes later is not built.

    Returns:
        The Keras model.
    """
    configure_tensorflow()
    import keras

    chance = random.Random(SEED)  # noqa: S311 - no secret
    return _build(cut, lambda: keras.initializers.GlorotUniform(chance.randint(1, 10**9)))


def build_blank(cut: str = CUTS[-1]) -> "keras.Model":
    """Build the network of ``build_untrained`` for weights that are loaded next, with kernels of zeros.

    Args:
        cut: The layer or layers at which the network is to end.

    Returns:
        The Keras model.
    """
    configure_tensorflow()
    import keras

    return _build(cut, keras.initializers.Zeros)


def _build(cut: str, initializer: "Callable[[], keras.initializers.Initializer]") -> "keras.Model":
    blocks = 1 + max(CUTS.index(layer) for layer in split_cut(cut))
    return rename_layers(build_network(blocks, initializer))


def rename_layers(network: "keras.Model") -> "keras.Model":
    """Give the layers the names that they have in the first network of a process.

    Keras counts through a process (conv2d_99, conv2d_100), and TensorFlow adds up the gradients of a block's branches
    in the order of their names: networks that were built before would decide the last bits of what is learned.

    Args:
        network: The network, which is changed.

    Returns:
        The same network.
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
    """Return the number that Keras gave a layer among all of its kind."""
    return int(_split_name(layer)[1] or 0)


def _split_name(layer: "keras.Layer") -> tuple[str, str]:
    """Split a layer's name as Keras counts, max_pooling2d, max_pooling2d_1, max_pooling2d_2 …, into kind and number."""
    kind, _, number = layer.name.rpartition("_")
    return (kind, number) if number.isdigit() else (layer.name, "")


def truncate_network(network: "keras.Model", cut: str, size: int) -> "keras.Model":
    """Build the network from pictures to the averaged output of a cut.

    Args:
        network: The whole network.
        cut: The layer or layers at which it ends.
        size: The side of a picture in pixels.

    Returns:
        A model from bytes (n, size, size, 3) to features (n, width).
    """
    import keras

    check_size(cut, size)
    outputs = [network.get_layer(layer).output for layer in split_cut(cut)]
    body = keras.Model(network.input, outputs if len(outputs) > 1 else outputs[0])
    pixels = keras.Input((size, size, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    return keras.Model(pixels, pool_output(body(scaled, training=False)))


def pool_output(outputs: Any) -> Any:  # noqa: ANN401 - Keras's tensor, or a list of them
    """Average a layer's output over the picture; the averages of several layers stand side by side."""
    import keras

    if not isinstance(outputs, list):
        return keras.layers.GlobalAveragePooling2D()(outputs)
    return keras.layers.Concatenate()([pool_output(output) for output in outputs])
