"""Where a backbone's weights come from, what names it, and what is said when they cannot be used."""

import dataclasses
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from pydantic import ValidationError

from configs.errors import PedigreeError, SettingsError
from configs.schema import Backbone as Settings
from tasks.domain.hashing import sha256_of_bytes
from tasks.modeling.backbone import backbone as backbones
from tasks.modeling.backbone import imagenet_file, inception, keras_weights, loading
from tasks.modeling.backbone.backbone import (
    Backbone,
    random_backbone,
    restore_backbone,
)
from tasks.modeling.backbone.inception import CUTS, build_untrained, check_size, rename_layers
from tasks.modeling.backbone.loading import load_backbone, name_remembered_weights
from tasks.modeling.backbone.serialization import hash_weights
from tests.tasks.modeling.random_generators import others_draw


@pytest.fixture(scope="module")
def other_weights() -> list[np.ndarray]:
    """Weights of a whole InceptionV3 that are not the random ones which Pedigree itself would draw."""
    weights: list[np.ndarray] = build_untrained().get_weights()
    return [array + np.float32(0.01) for array in weights]


@pytest.fixture(scope="module", params=["old", "new"])
def keras_file(
    request: pytest.FixtureRequest, other_weights: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    """File of those weights in one of Keras's two layouts; its ImageNet file has the old one."""
    network = build_untrained()
    network.set_weights(other_weights)
    path = tmp_path_factory.mktemp("weights") / "whole.weights.h5"
    if request.param == "new":
        network.save_weights(path)
    else:
        with h5py.File(path, "w") as file:
            keras.src.legacy.saving.legacy_h5_format.save_weights_to_hdf5_group(file, network)
    return path.read_bytes()


def test_a_file_of_keras_gives_its_weights(keras_file: bytes, other_weights: list[np.ndarray]) -> None:
    """The network below the cut gets the file's weights in either layout, whatever else was built in the process."""
    weights = load_backbone(_settings(keras_file), keras_file).model.get_weights()
    assert len(weights) == len(random_backbone("mixed0", 75).model.get_weights())
    assert _hashes(weights) <= _hashes(other_weights)


def test_random_weights_do_not_depend_on_what_other_threads_draw() -> None:
    """While Prefect's threads use Python's source of chance, random weights are those of every other process."""
    with others_draw():
        weights = build_untrained().get_weights()
    assert hash_weights(weights) == hash_weights(build_untrained().get_weights())


def test_names_do_not_depend_on_what_was_built_before() -> None:
    """Layers are called as in a process's first network, since gradients are added up in the order of names."""
    first, second = ([layer.name for layer in build_untrained().layers] for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)
    assert first[1:4] == ["conv2d", "batch_normalization", "activation"]
    assert first[-2:] == ["activation_93", "mixed10"]


def test_the_network_is_that_of_keras() -> None:
    """Each layer has the settings and inputs that it has in Keras's InceptionV3; a lower cut has the same weights."""
    network = build_untrained()
    expected = rename_layers(keras.applications.InceptionV3(include_top=False, weights=None))
    assert _describe_layers(network) == _describe_layers(expected)
    lower = [build_untrained(cut).get_weights() for cut in ("mixed0", "mixed8+mixed7")]
    assert all(_hashes(weights) <= _hashes(network.get_weights()) for weights in lower)
    assert [len(weights) for weights in lower] == [4 * 12, 4 * 76]


def test_half_a_file_of_keras_is_refused(keras_file: bytes) -> None:
    """A file that was cut, and whose hash was taken afterwards, gets a sentence."""
    half = keras_file[: len(keras_file) // 2]
    with pytest.raises(PedigreeError, match=r"w\.h5 is damaged, or not one of InceptionV3"):
        load_backbone(_settings(half), half)


def test_a_file_of_pedigree_gives_the_same_backbone(backbone: Backbone) -> None:
    """What a backbone writes is a weights file for the settings: the fingerprint is the same."""
    data = backbone.to_bytes()
    assert load_backbone(_settings(data), data).fingerprint == backbone.fingerprint


def test_a_file_with_another_hash_is_refused() -> None:
    """The settings say which bytes are meant; other bytes are not even opened."""
    with pytest.raises(PedigreeError, match=f"has SHA-256 {sha256_of_bytes(b'other')}"):
        load_backbone(_settings(b"expected"), b"other")


@pytest.mark.parametrize("data", [b"", b"woof", b"PK woof", b"\x89HDF\r\n\x1a\n woof"])
def test_a_file_that_holds_no_weights_is_refused(data: bytes) -> None:
    """Whatever a file holds, its reader gets one sentence with its name."""
    with pytest.raises(PedigreeError, match=r"^The weights file w\.h5 is damaged"):
        load_backbone(_settings(data), data)


def test_weights_of_another_cut_do_not_fit(backbone: Backbone) -> None:
    """A file for mixed0 is no file for mixed1."""
    data = backbone.to_bytes()
    with pytest.raises(PedigreeError, match="does not fit InceptionV3 cut at mixed1"):
        load_backbone(_settings(data).model_copy(update={"cut": "mixed1"}), data)


@pytest.mark.parametrize(("cut", "size", "width"), [("mixed2", 27, 288), ("mixed7", 43, 768), ("mixed10", 75, 2048)])
def test_every_size_that_the_architecture_allows_works(
    cut: str, size: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smallest size of each cut gives numbers, one pixel less is refused with that size, and rightly so."""
    assert random_backbone(cut, size).network(np.zeros((size, size, 3), np.uint8)).shape == (width,)
    with pytest.raises(
        SettingsError, match=f"backbone.size is {size - 1}, too small .* cut at {cut}: set it to {size}"
    ):
        check_size(cut, size - 1)
    monkeypatch.setattr(inception, "_SMALLEST", (1,) * len(CUTS))
    with pytest.raises(ValueError, match=r"non-positive|negative|must be"):
        random_backbone(cut, size - 1)


def test_a_size_too_small_is_told_before_anything_is_downloaded() -> None:
    """Weights that cannot be had do not come into it: the size is looked at first, and never below 27."""
    with pytest.raises(SettingsError, match="set it to 75 or more, or choose a lower cut"):
        load_backbone(Settings(weights="imagenet", size=74))
    with pytest.raises(ValidationError, match="greater than or equal to 27"):
        Settings(size=26, cut="mixed0")


def test_the_fingerprint_covers_weights_cut_size_and_contract(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bit of one weight, another cut, size or pixel contract makes another backbone."""
    arrays = backbone.model.get_weights()
    arrays[0][0, 0, 0, 0] = np.nextafter(arrays[0][0, 0, 0, 0], np.float32(1))
    one_bit = random_backbone("mixed0", 75)
    one_bit.model.set_weights(arrays)
    different = [one_bit, *(dataclasses.replace(backbone, **change) for change in ({"cut": "mixed1"}, {"size": 76}))]
    names = {backbone.fingerprint, *(other.fingerprint for other in different)}
    monkeypatch.setattr(backbones, "CONTRACT", "another")
    assert len({*names, dataclasses.replace(backbone).fingerprint}) == 5


def test_half_precision_is_another_backbone_whose_numbers_have_16_bits(backbone: Backbone) -> None:
    """Precision is part of the name, and the network itself rounds, so that serving does as well."""
    half = dataclasses.replace(backbone, precision="float16")
    pixels = np.random.default_rng(0).integers(0, 256, (75, 75, 3), dtype=np.uint8)
    half_features, exact = half.network(pixels), backbone.network(pixels)
    assert half.fingerprint != backbone.fingerprint
    assert half_features.dtype == np.float32
    assert np.array_equal(half_features, exact.astype(np.float16))
    assert not np.array_equal(half_features, exact)
    restored = restore_backbone(half.to_bytes(), half.facts)
    assert restored.fingerprint == half.fingerprint
    assert np.array_equal(restored.network(pixels), half_features)
    assert (
        load_backbone(Settings(weights="random", cut="mixed0", size=75, precision="float16")).fingerprint
        == half.fingerprint
    )


def test_numbers_too_big_for_half_precision_are_refused() -> None:
    """What 16 bits cannot hold gets a sentence that names the setting, and is not stored as infinity."""
    with pytest.raises(PedigreeError, match=r"too big for float16: set backbone\.precision to float32"):
        backbones._round(np.array([7e4], np.float32), "float16")


def test_weights_from_outside_are_named_by_all_that_decides() -> None:
    """Another hash, cut, size or precision is another backbone; where the same file lies does not matter."""
    settings = [
        Settings(),
        Settings(sha256="a" * 64),
        Settings(weights="w.h5", sha256="b" * 64),
        Settings(cut="mixed9"),
        Settings(size=224),
        Settings(precision="float16"),
    ]
    assert len({name_remembered_weights(chosen) for chosen in settings}) == len(settings)
    assert name_remembered_weights(settings[2]) == name_remembered_weights(
        Settings(weights="s3://elsewhere/x.h5", sha256="b" * 64)
    )
    assert name_remembered_weights(Settings(weights="random")) is None


def test_a_stored_backbone_comes_back(backbone: Backbone) -> None:
    """From its file and its facts the store gives the very backbone."""
    assert restore_backbone(backbone.to_bytes(), backbone.facts).fingerprint == backbone.fingerprint


def test_a_stored_backbone_with_other_weights_is_refused(backbone: Backbone) -> None:
    """A file that fits but is not the one that was kept is noticed by its hash."""
    with pytest.raises(PedigreeError, match="is damaged: its weights have another hash"):
        restore_backbone(backbone.to_bytes(), {**backbone.facts, "weights": "0" * 64})


def test_the_demo_goes_with_its_cut() -> None:
    """Whoever tries the demo's weights with another cut is told which one they have."""
    with pytest.raises(SettingsError, match=r"set backbone\.cut to mixed2"):
        load_backbone(Settings(weights="demo"))


def test_a_damaged_demo_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's weights are those that were shipped, or none."""
    damaged = tmp_path / "demo_weights.npz"
    damaged.write_bytes(loading.DEMO_WEIGHTS.read_bytes()[:-1])
    monkeypatch.setattr(loading, "DEMO_WEIGHTS", damaged)
    with pytest.raises(PedigreeError, match="is damaged: install Pedigree again"):
        load_backbone(Settings(weights="demo", cut="mixed2", size=96))


@pytest.fixture
def cached_file(keras_file: bytes) -> Iterator[Path]:
    """Stand-in for what Keras has downloaded, where Keras looks for it."""
    path = Path(keras.src.backend.config.keras_home()) / "models" / imagenet_file.IMAGENET_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(keras_file)
    yield path
    path.unlink()


def test_keras_s_own_file_is_held_against_the_sha256(cached_file: Path, other_weights: list[np.ndarray]) -> None:
    """With a SHA-256 in the settings Keras's file is used if it has it, and else refused unopened; MD5 has no say."""
    right = sha256_of_bytes(cached_file.read_bytes())
    loaded = load_backbone(Settings(sha256=right, cut="mixed0", size=75))
    assert _hashes(loaded.model.get_weights()) <= _hashes(other_weights)
    assert loaded.origin == right
    cached_file.write_bytes(cached_file.read_bytes()[:-1])
    with pytest.raises(
        PedigreeError, match=r"ImageNet weights .* have SHA-256 .*, not backbone\.sha256: correct it, or remove"
    ):
        load_backbone(Settings(sha256=right, cut="mixed0", size=75))


@pytest.fixture(params=["refused", "silent"])
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Network that refuses every connection, or that accepts them and never says a word."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras_weights, "_PATIENCE", 0.5)
    monkeypatch.setattr(imagenet_file, "_PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.getsockname()[1]}")
        if request.param == "refused":
            server.close()
        yield


@pytest.mark.usefixtures("no_network")
def test_imagenet_without_a_network_names_the_ways_out(capfd: pytest.CaptureFixture[str]) -> None:
    """Keras's own download is tried once, and its failure says what each way out is good for."""
    with pytest.raises(
        PedigreeError,
        match=r"(?s)cannot be had here: .* As good: .* backbone\.sha256 .* Only to try .* demo",
    ):
        load_backbone(Settings(weights="imagenet", size=75))
    assert capfd.readouterr() == ("", "")
    assert socket.getdefaulttimeout() is None


def _settings(data: bytes) -> Settings:
    return Settings(weights="w.h5", sha256=sha256_of_bytes(data), cut="mixed0", size=75)


def _hashes(arrays: list[np.ndarray]) -> set[str]:
    return {sha256_of_bytes(array.tobytes()) for array in arrays}


def _describe_layers(network: keras.Model) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = network.get_config()["layers"]
    for layer in layers:
        layer["config"].pop("kernel_initializer", None)
    return layers
