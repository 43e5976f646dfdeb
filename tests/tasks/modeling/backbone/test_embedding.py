"""Features do not depend on their neighbours, and memory does not depend on how many images there are."""

import dataclasses
from collections.abc import Iterator

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.cores import count_cores
from configs.errors import PedigreeError
from tasks.domain.images.preprocessing import Limits, preprocess_image
from tasks.modeling import determinism
from tasks.modeling.backbone.backbone import Backbone
from tasks.modeling.backbone.embedding import embed_images, embed_views
from tasks.modeling.backbone.self_test import check_determinism
from tasks.modeling.backbone.tensorflow_engine import TensorFlowEngine


def test_features_do_not_depend_on_their_neighbours(
    backbone: Backbone, images: list[tuple[str, bytes]], limits: Limits
) -> None:
    """An image has the same bits alone, beside others and in another order, and its name stays with it."""
    together = dict(embed_images(backbone, images, limits))
    backwards = dict(embed_images(backbone, images[::-1], limits))
    assert list(together) == [name for name, _ in images]
    for name, data in images:
        [(_, alone)] = embed_images(backbone, [(name, data)], limits)
        assert np.array_equal(alone, together[name])
        assert np.array_equal(alone, backwards[name])


@given(st.data())
@settings(max_examples=25)
def test_features_are_the_same_on_every_run(
    backbone: Backbone, images: list[tuple[str, bytes]], limits: Limits, data: st.DataObject
) -> None:
    """However images are dealt out to runs, in whatever order, beside whom and in how many threads: the same bits."""
    dealt = data.draw(st.permutations(images))
    ends = sorted(data.draw(st.sets(st.integers(1, len(images) - 1), max_size=4)))
    runs = [dealt[start:end] for start, end in zip([0, *ends], [*ends, len(dealt)], strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(determinism, "count_cores", lambda: data.draw(st.integers(1, 5)))
        vectors = {name: vector for run in runs for name, vector in embed_images(backbone, run, limits)}
    for name, file in images:
        pixels = preprocess_image(file, backbone.size, limits)
        assert isinstance(pixels, np.ndarray)
        assert np.array_equal(vectors[name], backbone.network(pixels))


def test_each_image_is_seen_in_the_views_asked_of_it(
    backbone: Backbone, images: list[tuple[str, bytes]], limits: Limits
) -> None:
    """A view's features are those of the picture turned or cut in that way, and the identity's are the usual ones."""
    requests = [(*images[0], ("mirror",)), (*images[1], ("identity", "mirror"))]
    (mirrored,), (plain, other) = embed_views(backbone, requests, limits)
    assert [mirrored[:2], plain[:2], other[:2]] == [("dog 0", "mirror"), ("dog 1", "identity"), ("dog 1", "mirror")]
    pixels = preprocess_image(images[0][1], backbone.size, limits)
    assert isinstance(pixels, np.ndarray)
    assert np.array_equal(mirrored[2], backbone.network(pixels[:, ::-1]))
    assert np.array_equal(plain[2], dict(embed_images(backbone, images, limits))["dog 1"])
    assert not np.array_equal(plain[2], other[2])


def test_different_images_have_different_features(
    backbone: Backbone, images: list[tuple[str, bytes]], limits: Limits
) -> None:
    """The network looks at the picture: width float32 numbers an image, no two images alike."""
    features = np.stack([vector for _, vector in embed_images(backbone, images, limits)])
    assert (features.shape, str(features.dtype)) == ((len(images), backbone.width), "float32")
    assert len(np.unique(features, axis=0)) == len(images)


def test_images_are_read_only_a_little_ahead(
    backbone: Backbone, images: list[tuple[str, bytes]], limits: Limits
) -> None:
    """When the first features arrive, only a few images a core have been read, however many wait."""
    read = 0

    def endless() -> Iterator[tuple[str, bytes]]:
        nonlocal read
        while True:
            read += 1
            yield images[0]

    next(embed_images(backbone, endless(), limits))
    assert read <= 4 * count_cores()


def test_no_images_make_no_features(backbone: Backbone, limits: Limits) -> None:
    """Nothing in, nothing out."""
    assert list(embed_images(backbone, [], limits)) == []


def test_a_damaged_stored_image_is_named(backbone: Backbone, images: list[tuple[str, bytes]], limits: Limits) -> None:
    """An image that the store holds but that cannot be decoded stops the run with its name."""
    with pytest.raises(PedigreeError, match="stored image dog 5 cannot be used"):
        list(embed_images(backbone, [*images[:5], ("dog 5", images[5][1][:400])], limits))


def test_a_network_without_numbers_is_refused(
    backbone: Backbone, images: list[tuple[str, bytes]], limits: Limits
) -> None:
    """Weights that are no numbers get one sentence before anything is stored, not a model that guesses."""
    broken = _with_last_layer(backbone, keras.layers.Lambda(lambda features: features / 0))
    with pytest.raises(PedigreeError, match="no numbers"):
        list(embed_images(broken, images[:1], limits))


def test_the_self_test_passes_here(backbone: Backbone) -> None:
    """The machine that runs the tests computes the same twice."""
    check_determinism(backbone)


def test_the_self_test_notices_a_network_that_rolls_dice(backbone: Backbone) -> None:
    """A network whose features differ from call to call is refused before it fills the store."""
    with pytest.raises(PedigreeError, match="different features twice"):
        check_determinism(_with_last_layer(backbone, _Dice()))


class _Dice(keras.layers.Layer):
    """Adds noise, in inference too."""

    def __init__(self) -> None:
        super().__init__()
        self._seeds = keras.random.SeedGenerator(1)

    def call(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Add another noise at each call."""
        return features + keras.random.normal(keras.ops.shape(features), seed=self._seeds)


def _with_last_layer(backbone: Backbone, layer: keras.layers.Layer) -> Backbone:
    model = keras.Model(backbone.model.input, layer(backbone.model.output))
    return dataclasses.replace(backbone, engine=TensorFlowEngine(model))
