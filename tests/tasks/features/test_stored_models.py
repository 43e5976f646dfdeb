"""A backbone of ONNX Runtime in a store: the graph that computes, and the weights that fine-tuning starts from."""

from pathlib import Path

import pytest

from configs.errors import PedigreeError
from tasks.features.stored_models import keep_backbone, stored_backbone, trainable_backbone
from tasks.modeling.backbone.backbone import random_backbone, with_engine
from tasks.stores.store import Store, copy_backbone


def test_a_store_gives_the_engine_that_was_kept_and_the_network_to_train(tmp_path: Path) -> None:
    """Whoever embeds gets ONNX Runtime under its fingerprint, whoever trains gets Keras with the same weights.

    A copy in another store is whole; where its graph is lost, the sentence names the file.
    """
    here, there = Store(str(tmp_path / "here")), Store(str(tmp_path / "there"))
    on_tensorflow = random_backbone("mixed0", 75)
    exported = with_engine(on_tensorflow, "onnxruntime")
    keep_backbone(here, exported, on_tensorflow.to_bytes())
    copy_backbone(here, there, exported.fingerprint)
    assert stored_backbone(there, exported.fingerprint).fingerprint == exported.fingerprint
    assert trainable_backbone(there, exported.fingerprint).fingerprint == on_tensorflow.fingerprint
    graph = tmp_path / "there" / "backbones" / f"{exported.facts['graph']}.onnx"
    graph.unlink()
    with pytest.raises(PedigreeError, match=rf"The file backbones/{graph.name} is missing"):
        stored_backbone(there, exported.fingerprint)
