"""Loads a model as any client would, by its address in a registry, and asks it about the files of a folder.

Nothing of this project is imported here: what answers is the code that the packaged model brings along. It is run as
``python -I probe.py ENGINE`` and waits, with the engine and all that every model needs already loaded, for one line:
MODEL, QUESTIONS and ANSWERS as a JSON list.
"""

import gc
import json
import sys
from importlib import import_module
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.pyfunc import load_model


def main(model: str, questions: str, answers: str) -> None:
    """Ask about all files of a folder at once, in the order of their names, and write the answers as JSON.

    Args:
        model: The model's address, such as ``models:/pedigree/3``.
        questions: The folder of files.
        answers: The file to write: a list of rows.
    """
    images = [path.read_bytes() for path in sorted(Path(questions).iterdir())]
    predictions = pd.DataFrame(load_model(model, suppress_warnings=True).predict(pd.DataFrame({"image": images})))
    Path(answers).write_text(json.dumps(predictions.to_dict("records")), encoding="utf-8")


if __name__ == "__main__":
    # What takes seconds, which may pass before anybody asks. It would take twice as many with looks for garbage, of
    # which there is none yet, and with two libraries that Keras imports where it finds them and no model uses.
    gc.disable()
    unused = dict.fromkeys({"matplotlib", "sklearn"} - sys.modules.keys())
    sys.modules.update(unused)  # type: ignore[arg-type] # None stands for a module that cannot be imported
    import_module("onnxruntime" if sys.argv[1] == "onnxruntime" else "keras")
    for name in unused:
        del sys.modules[name]
    # It opens the registry, which takes another second.
    MlflowClient()
    # All this lives as long as the process, so that no look for garbage is to go through it, the last one included.
    gc.freeze()
    gc.enable()
    # Whoever started this and has no question any more closes the line, also by being killed.
    if request := sys.stdin.readline():
        main(*json.loads(request))
        # A last look for garbage among all that TensorFlow made would take a second and a half.
        gc.freeze()
