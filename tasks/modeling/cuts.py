"""Every cut of a backbone in one pass, side by side, and the same numbers as one cut alone makes."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from configs.problems import SettingsProblem
from tasks.modeling.backbone import DEMO_CUT, Backbone, load
from tasks.modeling.inception import fitting_cuts, layers_of, width_of
from tasks.modeling.weights import is_weights_file

if TYPE_CHECKING:
    from configs import schema


def every_cut(settings: "schema.Backbone", data: bytes | None = None) -> Backbone:
    """Build the backbone that puts every cut that its size allows side by side; ``data`` as in ``load``.

    Raises SettingsProblem where the weights end at a cut of their own.
    """
    check_whole(settings, data)
    return load(settings.model_copy(update={"cut": "+".join(fitting_cuts(settings.size))}), data)


def check_whole(settings: "schema.Backbone", data: bytes | None = None) -> None:
    """Raise SettingsProblem where the weights end at a cut of their own, so that there is no other to compare."""
    if settings.weights == "demo":
        raise SettingsProblem(
            f"backbone.weights is demo, whose network ends at {DEMO_CUT}: it has no other cut to compare. Set "
            "backbone.weights to imagenet, or to a file of the whole network."
        )
    if data and is_weights_file(data):
        raise SettingsProblem(
            f"The weights file {settings.weights} was written by Pedigree and ends at one cut: it has no other cut to "
            "compare. Set backbone.cut to it, or name a file of Keras's."
        )


def columns(every: str, cut: str) -> NDArray[np.int64]:
    """Tell which numbers of every cut's, side by side, are those of one, or of two: (width,)."""
    layers = layers_of(every)
    ends = np.cumsum([width_of(layer) for layer in layers])
    return np.concatenate(
        [np.arange(ends[layers.index(layer)] - width_of(layer), ends[layers.index(layer)]) for layer in layers_of(cut)]
    )


def makes_the_same(every: Backbone, single: Backbone) -> bool:
    """Tell whether one pass through every cut gives, on this machine, the very bits of a network that ends there."""
    noise = np.random.default_rng(0).integers(0, 256, (2, single.size, single.size, 3), dtype=np.uint8)
    places = columns(every.cut, single.cut)
    return all(np.array_equal(every.network(pixels)[places], single.network(pixels)) for pixels in noise)
