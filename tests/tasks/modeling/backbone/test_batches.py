"""A fixed batch gives each image its own bits, whoever its neighbours are and however many zeros stand beside it."""

from itertools import chain

import numpy as np
import pytest

from configs.errors import PedigreeError
from configs.schema import Backbone as Chosen
from tasks.decoding.square_decoder import SquareDecoder
from tasks.domain.images.preprocessing import Limits, preprocess_image
from tasks.modeling.backbone.backbone import Backbone, random_backbone, restore_backbone, with_batch
from tasks.modeling.backbone.batches import decode_squares
from tasks.modeling.backbone.embedding import embed_views
from tasks.modeling.backbone.loading import choose_batch, load_backbone
from tasks.modeling.backbone.self_test import check_determinism, reference_pictures


def test_the_same_bits_whatever_the_neighbours() -> None:
    """At 299 px a picture has the same features alone beside zeros, beside others, and at another place."""
    backbone = with_batch(random_backbone("mixed10", 299), 3, "float32")
    pictures = np.stack(reference_pictures(299))
    alone = np.stack([backbone.network(picture) for picture in pictures])
    assert np.array_equal(np.stack(backbone.embed_batch(pictures)), alone)
    assert np.array_equal(np.stack(backbone.embed_batch(pictures[:0:-1])), alone[:0:-1])


def test_batches_come_back_in_order(backbone: Backbone, images: list[tuple[str, bytes]], limits: Limits) -> None:
    """Views and images that lie across the ends of batches, the last of which is padded, keep names and features."""
    batched = with_batch(backbone, 5, "float32")
    requests = [(name, data, ("identity", "mirror")[: 1 + number % 2]) for number, (name, data) in enumerate(images)]
    got = list(embed_views(batched, requests, limits))
    expected_views = list(embed_views(backbone, requests, limits))
    assert [[part[:2] for part in image] for image in got] == [[part[:2] for part in image] for image in expected_views]
    for (_, _, vector), (_, _, expected) in zip(chain(*got), chain(*expected_views), strict=True):
        np.testing.assert_allclose(vector, expected, rtol=1e-5, atol=1e-6)
    assert list(embed_views(batched, [], limits)) == []
    assert check_determinism(batched)


def test_batch_and_precision_are_in_the_fingerprint(backbone: Backbone) -> None:
    """Other features have another name, which comes back from the store; with neither, the name is as ever."""
    plain = with_batch(backbone, 1, "float32")
    others = [with_batch(backbone, 4, "float32"), with_batch(backbone, 1, "bfloat16")]
    assert plain.fingerprint == backbone.fingerprint
    assert set(plain.facts) == {"weights", "engine", "cut", "size", "precision", "pixels"}
    assert len({plain.fingerprint, *(other.fingerprint for other in others)}) == 3
    for other in others:
        assert restore_backbone(other.to_bytes(), other.facts).fingerprint == other.fingerprint


def test_sixteen_bits_are_near(backbone: Backbone) -> None:
    """Mixed precision computes other features, close to those of 32 bits, and rounds none to another type."""
    mixed = with_batch(random_backbone("mixed0", 75), 2, "bfloat16")
    for picture in reference_pictures(75):
        exact, near = backbone.network(picture), mixed.network(picture)
        assert near.dtype == np.float32
        assert 0 < np.abs(near - exact).max() < 0.03 * np.abs(exact).max()


@pytest.mark.parametrize(("batch", "expected"), [(0, 1), (7, 7)])
def test_a_processor_takes_one_picture_a_call(batch: int, expected: int) -> None:
    """Unless the settings name a number, a machine without a card computes as ever."""
    settings = Chosen(weights="random", cut="mixed0", size=75, batch=batch)
    assert choose_batch(settings) == load_backbone(settings).batch == expected


def test_an_image_on_which_processes_die_is_decoded_here(
    images: list[tuple[str, bytes]], limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was decoded when it was stored, so a machine that kills processes must not stop a run."""
    monkeypatch.setattr("tasks.decoding.square_decoder._PROGRAM", "tests.tasks.decoding.hostile_worker:die_of_squares")
    with SquareDecoder(75, limits) as decoder:
        (squares,) = decode_squares(decoder, [(*images[0], ("identity", "mirror"))], limits)
    pixels = preprocess_image(images[0][1], 75, limits)
    assert isinstance(pixels, np.ndarray)
    assert np.array_equal(squares, np.stack([pixels, pixels[:, ::-1]]))


def test_a_damaged_image_is_named(images: list[tuple[str, bytes]], limits: Limits) -> None:
    """It stops the run with the sentence that it gets without processes."""
    damaged = [("dog 5", images[5][1][:400], ("identity",))]
    with SquareDecoder(75, limits) as decoder, pytest.raises(PedigreeError, match="stored image dog 5 cannot be used"):
        list(decode_squares(decoder, damaged, limits))
