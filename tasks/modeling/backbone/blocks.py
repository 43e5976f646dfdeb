"""The blocks of InceptionV3, layer by layer as Keras has them, and the network from pictures to any of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import keras

    Initializer: TypeAlias = keras.initializers.Initializer

Pool: TypeAlias = Literal["average", "max"]


@dataclass(frozen=True)
class Convolution:
    """A convolution, normalized and rectified.

    Attributes:
        filters: The number of filters.
        rows: The height of its window.
        columns: The width of its window.
        stride: The step of its window, in both directions.
        padding: Whether the picture keeps its size (same) or loses its border (valid).
    """

    filters: int
    rows: int = 1
    columns: int = 1
    stride: int = 1
    padding: Literal["same", "valid"] = "same"


@dataclass(frozen=True)
class Fork:
    """Convolutions that read the same input, and whose outputs are put side by side.

    Attributes:
        convolutions: The convolutions.
        name: The name of the layer that puts them together; None lets Keras choose one.
    """

    convolutions: tuple[Convolution, ...]
    name: str | None


Layer: TypeAlias = Convolution | Pool | Fork
Branch: TypeAlias = tuple[Layer, ...]


def _halving(filters: int) -> Convolution:
    return Convolution(filters, 3, 3, stride=2, padding="valid")


def _fine_block(pooled: int) -> tuple[Branch, ...]:
    """Return the branches of mixed0, mixed1 and mixed2."""
    return (
        (Convolution(64),),
        (Convolution(48), Convolution(64, 5, 5)),
        (Convolution(64), Convolution(96, 3, 3), Convolution(96, 3, 3)),
        ("average", Convolution(pooled)),
    )


def _middle_block(width: int) -> tuple[Branch, ...]:
    """Return the branches of mixed4 to mixed7, whose windows of 7 x 7 are taken apart into rows and columns."""
    across, down = Convolution(width, 1, 7), Convolution(width, 7, 1)
    return (
        (Convolution(192),),
        (Convolution(width), across, Convolution(192, 7, 1)),
        (Convolution(width), down, across, down, Convolution(192, 1, 7)),
        ("average", Convolution(192)),
    )


def _coarse_block(name: str) -> tuple[Branch, ...]:
    """Return the branches of mixed9 and mixed10."""
    pair = (Convolution(384, 1, 3), Convolution(384, 3, 1))
    return (
        (Convolution(320),),
        (Convolution(384), Fork(pair, name)),
        (Convolution(448), Convolution(384, 3, 3), Fork(pair, None)),
        ("average", Convolution(192)),
    )


_STEM: Branch = (
    _halving(32),
    Convolution(32, 3, 3, padding="valid"),
    Convolution(64, 3, 3),
    "max",
    Convolution(80, padding="valid"),
    Convolution(192, 3, 3, padding="valid"),
    "max",
)
_BLOCKS: tuple[tuple[Branch, ...], ...] = (
    _fine_block(32),
    _fine_block(64),
    _fine_block(64),
    ((_halving(384),), (Convolution(64), Convolution(96, 3, 3), _halving(96)), ("max",)),
    _middle_block(128),
    _middle_block(160),
    _middle_block(160),
    _middle_block(192),
    (
        (Convolution(192), _halving(320)),
        (Convolution(192), Convolution(192, 1, 7), Convolution(192, 7, 1), _halving(192)),
        ("max",),
    ),
    _coarse_block("mixed9_0"),
    _coarse_block("mixed9_1"),
)


def build_network(blocks: int, initializer: "Callable[[], Initializer]") -> "keras.Model":
    """Build the network from pictures of any size to the output of its first blocks.

    Keras's own function always builds all eleven blocks, which takes seconds, and the first three need a fifth of them.

    Args:
        blocks: The number of blocks.
        initializer: Called for each convolution, in the order of Keras: what its kernel begins with.

    Returns:
        The Keras model.
    """
    import keras

    pixels = keras.Input((None, None, 3))
    output = _add_branch(pixels, _STEM, initializer)
    for number, branches in enumerate(_BLOCKS[:blocks]):
        outputs = [_add_branch(output, branch, initializer) for branch in branches]
        output = keras.layers.Concatenate(axis=3, name=f"mixed{number}")(outputs)
    return keras.Model(pixels, output, name="inception_v3")


def _add_branch(output: Any, branch: Sequence[Layer], initializer: "Callable[[], Initializer]") -> Any:  # noqa: ANN401 - Keras's tensors
    import keras

    for layer in branch:
        if layer == "average":
            output = keras.layers.AveragePooling2D(3, strides=1, padding="same")(output)
        elif layer == "max":
            output = keras.layers.MaxPooling2D(3, strides=2)(output)
        elif isinstance(layer, Fork):
            outputs = [_add_convolution(output, convolution, initializer()) for convolution in layer.convolutions]
            output = keras.layers.Concatenate(axis=3, name=layer.name)(outputs)
        elif isinstance(layer, Convolution):
            output = _add_convolution(output, layer, initializer())
    return output


def _add_convolution(output: Any, convolution: Convolution, initializer: "Initializer") -> Any:  # noqa: ANN401 - Keras's tensors
    import keras

    window = (convolution.rows, convolution.columns)
    output = keras.layers.Conv2D(
        convolution.filters,
        window,
        strides=convolution.stride,
        padding=convolution.padding,
        use_bias=False,
        kernel_initializer=initializer,
    )(output)
    return keras.layers.Activation("relu")(keras.layers.BatchNormalization(axis=3, scale=False)(output))
