"""The same numbers twice, whoever computes them and wherever."""

import pickle
from pathlib import Path

import keras
import tensorflow as tf

from configs.cores import count_cores
from tasks.domain.images.preprocessing import Limits
from tasks.modeling.backbone.backbone import random_backbone
from tasks.modeling.determinism import configure_tensorflow
from tests.tasks.modeling.processes import run_alone
from tests.tasks.modeling.repeatable import hashes, trained_head


def test_another_process_on_one_core_computes_the_same(
    images: list[tuple[str, bytes]], limits: Limits, tmp_path: Path
) -> None:
    """Bits are the same in a process that may use one core and sees other settings; it loads no unused library."""
    random_backbone("mixed1", 80)
    given = tmp_path / "images"
    given.write_bytes(pickle.dumps((images, limits)))
    (tmp_path / "keras.json").write_text('{"floatx": "float16", "image_data_format": "channels_first"}')
    printed, log = run_alone(
        "import json, pathlib, pickle, sys; from tests.tasks.modeling.repeatable import hashes\n"
        f"computed = hashes(*pickle.loads(pathlib.Path({str(given)!r}).read_bytes()))\n"
        "print(json.dumps(computed | {'unused': [*{'matplotlib', 'sklearn'} & {*sys.modules}]}))",
        cores=1,
        environment={"KERAS_BACKEND": "jax", "KERAS_HOME": str(tmp_path)},
    )
    assert printed == {**hashes(images, limits), "unused": []}
    assert log == ""


def test_another_seed_gives_another_head() -> None:
    """The seed of the settings is really used."""
    assert trained_head(seed=0) == trained_head(seed=0) != trained_head(seed=1)


def test_one_thread_an_operation() -> None:
    """Results cannot depend on how many cores share an operation, while all cores have work."""
    configure_tensorflow()
    assert tf.config.threading.get_intra_op_parallelism_threads() == 1
    assert tf.config.threading.get_inter_op_parallelism_threads() == count_cores()
    assert keras.config.floatx() == "float32"


def test_who_imports_tensorflow_first_without_its_kernels_is_told() -> None:
    """A process in which TensorFlow chose other kernels before us computes nothing, and says what to set."""
    printed, _ = run_alone(
        "import json, tensorflow\n"
        "from configs.errors import PedigreeError\n"
        "from tasks.modeling.determinism import configure_tensorflow\n"
        "try: configure_tensorflow()\n"
        "except PedigreeError as problem: print(json.dumps(str(problem)))",
        environment={"TF_ENABLE_ONEDNN_OPTS": "0"},
    )
    assert printed.endswith("set TF_ENABLE_ONEDNN_OPTS=1 before the program starts.")


def test_a_machine_is_known_by_the_kernels_of_its_matrix_product() -> None:
    """OpenBLAS chooses them by the processor, and other ones give a head other last bits."""
    code = """
import json, numpy
from tasks.modeling.determinism import describe_machine
print(json.dumps(describe_machine()["blas"]))
"""
    kernels, _ = run_alone(code, environment={"OPENBLAS_CORETYPE": "Haswell"})
    assert kernels == "openblas Haswell"
