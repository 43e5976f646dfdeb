"""How far an exported model's answers are from those that were evaluated, on every image of its dataset version.

python -m tests.benchmarks.exports STORE VERSION FOLDER
FOLDER is what ``pedigree model export VERSION FOLDER --store STORE`` wrote.
"""

import sys
from pathlib import Path

import numpy as np

from tasks.features.embedding import predict
from tasks.modeling.export.predict import Model
from tasks.stores.store import Store


def main(url: str, word: str, folder: str) -> None:
    """Print the widest difference of a probability, and how many answers are others."""
    store, model = Store(url), Model.load(Path(folder))
    decision = store.ledger.named(word)
    record = store.records.read(decision.head, decision.dataset)
    images = sorted(store.manifests.columns(decision.dataset).images.to_pylist())
    evaluated = predict(store, record.made, decision.head, images).probabilities
    answers = [model.compute(model.preprocess(data)) for _, data in store.images.read(images)]
    exported = np.stack(answers)
    other = int((exported.argmax(axis=1) != evaluated.argmax(axis=1)).sum())
    sure = int(
        (
            (exported.max(axis=1) >= model.config["threshold"]) != (evaluated.max(axis=1) >= model.config["threshold"])
        ).sum()
    )
    print(f"{len(images)} images: probabilities at most {np.abs(exported - evaluated).max():.2g} apart,")
    print(f"{other} other labels, {sure} that are sure here alone or there alone")


if __name__ == "__main__":
    main(*sys.argv[1:4])
