"""Every cut in one pass gives what one cut alone gives, bit for bit, and two together are a backbone like any other."""

from dataclasses import replace

import numpy as np
import pytest

from configs.errors import SettingsError
from configs.schema import Backbone as Settings
from tasks.modeling.backbone.backbone import Backbone, backbone_from_network, random_backbone, restore_backbone
from tasks.modeling.backbone.embedding import find_cut_columns, gives_same_features, load_every_cut
from tasks.modeling.backbone.inception import CUTS, build_untrained, feature_width
from tasks.modeling.backbone.loading import load_backbone, load_on_engine

SIZE = 75
PIXELS = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def every() -> Backbone:
    """Every cut of random weights, side by side."""
    return load_every_cut(Settings(weights="random", size=SIZE))


def test_every_cut_is_there_in_its_width(every: Backbone) -> None:
    """The numbers are those of all eleven cuts, as many as each is said to make."""
    assert every.cut == "+".join(CUTS)
    assert every.width == sum(map(feature_width, CUTS)) == len(every.network(PIXELS))


def test_small_pictures_have_fewer_cuts() -> None:
    """Cuts that leave nothing of a picture of this size are not compared."""
    assert load_every_cut(Settings(weights="random", size=43)).cut.endswith("mixed7")


@pytest.mark.parametrize("cut", ["mixed0", "mixed9", "mixed8+mixed9"])
def test_one_pass_makes_the_same_bits(every: Backbone, cut: str) -> None:
    """What a cut alone makes, also from the settings, is what stands in its place among all."""
    single = load_backbone(Settings(weights="random", size=SIZE, cut=cut))
    assert np.array_equal(every.network(PIXELS)[find_cut_columns(every.cut, cut)], single.network(PIXELS))
    assert gives_same_features(every, single)


def test_other_bits_are_noticed(every: Backbone) -> None:
    """A network whose weights differ is not taken for the same."""
    network = build_untrained()
    network.layers[1].kernel.assign(network.layers[1].kernel * 1.001)
    assert not gives_same_features(every, backbone_from_network(network, "mixed0", SIZE))


def test_two_together_come_back_from_the_store() -> None:
    """A backbone of two cuts is restored from its file and its facts, precision included."""
    pair = replace(random_backbone("mixed8+mixed9", SIZE), precision="float16")
    restored = restore_backbone(pair.to_bytes(), pair.facts)
    assert restored.fingerprint == pair.fingerprint
    assert np.array_equal(restored.network(PIXELS), pair.network(PIXELS))
    assert pair.width == feature_width("mixed8+mixed9") == 3328


def test_two_together_make_the_same_bits_at_full_size() -> None:
    """At 299 pixels, where sums are long, two cuts together are the bits of each alone, also when built anew."""
    pixels = np.random.default_rng(2).integers(0, 256, (299, 299, 3), dtype=np.uint8)
    pair, second = (random_backbone("mixed7+mixed9", 299) for _ in range(2))
    alone = [random_backbone(cut, 299).network(pixels) for cut in ("mixed7", "mixed9")]
    assert second.fingerprint == pair.fingerprint
    for backbone in (pair, pair, second, restore_backbone(pair.to_bytes(), pair.facts)):
        assert np.array_equal(backbone.network(pixels), np.concatenate(alone))


def test_weights_with_one_cut_have_nothing_to_compare() -> None:
    """The demo's weights, and a file that Pedigree wrote, end at one cut, and a sentence says so."""
    with pytest.raises(SettingsError, match="is demo, whose network ends at mixed2: it has no other cut to compare"):
        load_every_cut(Settings(weights="demo", cut="mixed2", size=96))
    data = random_backbone("mixed0", SIZE).to_bytes()
    with pytest.raises(SettingsError, match="ends at one cut"):
        load_every_cut(Settings(weights="w.npz", sha256="a" * 64, cut="mixed0", size=SIZE), data)


def test_cuts_are_compared_on_the_engine_of_the_settings() -> None:
    """One pass of ONNX Runtime through all cuts gives the features of each, by the engine that later runs use."""
    settings = Settings(weights="random", size=SIZE, cut="mixed1", engine="onnxruntime")
    whole, single = load_every_cut(settings), load_on_engine(settings)
    assert whole.facts["engine"] == single.facts["engine"] != random_backbone("mixed1", SIZE).facts["engine"]
    columns = find_cut_columns(whole.cut, single.cut)
    assert np.allclose(whole.network(PIXELS)[columns], single.network(PIXELS), atol=1e-6)
