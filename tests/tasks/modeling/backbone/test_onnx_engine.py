"""ONNX Runtime as an engine: TensorFlow's network to the sixth digit, with bits of its own that nothing changes."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from configs.errors import PedigreeError
from configs.schema import Backbone as Settings
from tasks.domain.hashing import sha256_of_bytes
from tasks.modeling.backbone.backbone import Backbone, random_backbone, restore_backbone, with_engine
from tasks.modeling.backbone.loading import name_remembered_weights
from tasks.modeling.backbone.self_test import check_determinism
from tests.servers import ROOT

SIZE = 299
PICTURES = np.random.default_rng(5).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
# Restores a graph where TensorFlow cannot be imported, and prints the hash of the features of a picture.
ALONE = """
import hashlib, json, sys
from pathlib import Path
import numpy as np
sys.modules.update(dict.fromkeys(["tensorflow", "keras", "onnx"]))
from tasks.modeling.backbone.backbone import restore_backbone
backbone = restore_backbone(Path(sys.argv[1]).read_bytes(), json.loads(sys.argv[2]))
print(hashlib.sha256(backbone.network(np.load(sys.argv[3])).tobytes()).hexdigest(), backbone.fingerprint)
"""


@pytest.fixture(scope="module")
def on_tensorflow() -> Backbone:
    """Whole network with random weights."""
    return random_backbone("mixed10", SIZE)


@pytest.fixture(scope="module")
def exported(on_tensorflow: Backbone) -> Backbone:
    """Hand the same network over to ONNX Runtime."""
    return with_engine(on_tensorflow, "onnxruntime")


def test_both_engines_compute_the_same_network(on_tensorflow: Backbone, exported: Backbone) -> None:
    """Features differ by less than a hundred-thousandth of the largest one."""
    for pixels in PICTURES:
        expected, features = on_tensorflow.network(pixels), exported.network(pixels)
        assert features.dtype == np.float32
        assert np.abs(features - expected).max() < 1e-5 * expected.max()


@pytest.mark.parametrize("cut", ["mixed2", "mixed7+mixed9"])
def test_every_kind_of_cut_is_exported(cut: str) -> None:
    """A lower layer, and two side by side, give as many features as on TensorFlow, and the same ones."""
    whole = random_backbone(cut, 96)
    other, pixels = with_engine(whole, "onnxruntime"), PICTURES[0][:96, :96]
    assert other.width == whole.width
    assert np.allclose(other.network(pixels), whole.network(pixels), atol=1e-6)


def test_neighbours_threads_and_processes_change_no_bit(exported: Backbone, tmp_path: Path) -> None:
    """The self-test passes at 299 px, and a process without TensorFlow computes the same bits under the same name."""
    check_determinism(exported)
    graph, picture = tmp_path / "backbone.onnx", tmp_path / "picture.npy"
    graph.write_bytes(exported.to_bytes())
    np.save(picture, PICTURES[0])
    facts = json.dumps(exported.facts)
    alone = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", ALONE, str(graph), facts, str(picture)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    digest = sha256_of_bytes(exported.network(PICTURES[0]).tobytes())
    assert alone.stdout.split() == [digest, exported.fingerprint]


def test_the_fingerprint_tells_the_engine(on_tensorflow: Backbone, exported: Backbone) -> None:
    """It names engine, version, optimisation and graph; TensorFlow's has the facts that it always had."""
    import onnxruntime

    assert exported.facts["engine"] == f"onnxruntime {onnxruntime.__version__} optimization=all"
    assert exported.facts["graph"] == sha256_of_bytes(exported.to_bytes())
    assert exported.facts["weights"] == on_tensorflow.facts["weights"]
    assert exported.fingerprint != on_tensorflow.fingerprint
    assert set(on_tensorflow.facts) == {"weights", "cut", "size", "precision", "pixels", "engine"}


def test_an_export_has_the_same_bytes_each_time(backbone: Backbone) -> None:
    """Layers and weights alone decide the file, so that two runs and a reproduction give one fingerprint."""
    second = random_backbone("mixed0", 75)
    assert with_engine(second, "onnxruntime").to_bytes() == with_engine(backbone, "onnxruntime").to_bytes()


def test_precision_is_kept(backbone: Backbone) -> None:
    """Half precision rounds features on this engine as well, and is another backbone."""
    half = with_engine(dataclasses.replace(backbone, precision="float16"), "onnxruntime")
    full = with_engine(backbone, "onnxruntime")
    pixels = PICTURES[1][:75, :75]
    assert np.array_equal(half.network(pixels), full.network(pixels).astype(np.float16))
    assert restore_backbone(half.to_bytes(), half.facts).fingerprint == half.fingerprint != full.fingerprint


def test_a_damaged_graph_is_refused(backbone: Backbone) -> None:
    """A graph with another hash is not even opened."""
    exported = with_engine(backbone, "onnxruntime")
    with pytest.raises(PedigreeError, match="is damaged: its graph has another hash"):
        restore_backbone(exported.to_bytes()[:-1], exported.facts)


def test_a_layer_without_counterpart_is_refused(backbone: Backbone) -> None:
    """What cannot be written is told by its name, and nothing is guessed."""
    import keras

    _, scaling, body, *_ = backbone.model.layers
    strange = keras.Model(body.input, keras.layers.GaussianNoise(1.0, name="strange")(body.output))
    pixels = keras.Input((75, 75, 3), dtype="uint8")
    network = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(strange(scaling(pixels))))
    engine = dataclasses.replace(backbone.engine, model=network)  # type: ignore[type-var]
    with pytest.raises(PedigreeError, match="The layer strange of kind GaussianNoise cannot be written"):
        with_engine(dataclasses.replace(backbone, engine=engine), "onnxruntime")


def test_without_the_extra_one_sentence_names_the_command(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored backbone of this engine, where it is not installed, says how to install it."""
    exported = with_engine(backbone, "onnxruntime")
    graph, facts = exported.to_bytes(), exported.facts
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PedigreeError, match=r"is not installed.* pip install 'pedigree\[onnxruntime\]', or set"):
        restore_backbone(graph, facts)


def test_weights_that_pedigree_brings_are_remembered_too() -> None:
    """So that a second run need not import TensorFlow to learn which backbone it has."""
    chosen = [
        Settings(weights=weights, cut="mixed2", engine=engine)
        for weights in ("demo", "random", "imagenet")
        for engine in ("onnxruntime", "tensorflow")
    ]
    names = [name_remembered_weights(settings) for settings in chosen]
    assert [name is None for name in names] == [False, True, False, True, False, False]
    assert len(set(names)) == 5
