"""A process of its own that tries fine-tuning: what it does to memory, chance and TensorFlow stays in it.

A night never imports it; it writes what it has to say to its standard output, one JSON object a line.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from time import process_time
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from configs import schema
from configs.errors import Problem
from configs.load import parse
from tasks.domain.datasets.manifest import Row
from tasks.domain.evaluation.fine_tuning_trial import Measurement, Trial, TrialImages, epochs_of, trial_images, trial_of
from tasks.domain.images.preprocessing import limits_of
from tasks.domain.training.results import FeatureSet
from tasks.features.stored_weights import stored_backbone
from tasks.modeling.backbone.embedding import embed
from tasks.modeling.fine_tuning.distribution import devices_of_this_machine
from tasks.modeling.fine_tuning.fine_tuning import Course, Lesson
from tasks.modeling.fine_tuning.input_pipeline import Labelled, Reading
from tasks.modeling.head.head import Head
from tasks.modeling.head.training import recipe_of, train_head
from tasks.stores.files.manifests import read_manifest
from tasks.stores.tables.images import ImageStore
from tasks.training.fit_head import Groups, examples_of, groups_in
from tasks.training.predict_stored import stored_features

Advance = Callable[[int], None]


def main() -> None:
    """Try fine-tuning as standard input says, and tell how far it has come, and what it came to."""
    asked = json.load(sys.stdin)
    # Whatever a library prints goes to where its complaints go.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as told:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        settings = parse(asked["settings"], "The settings of a trial of fine-tuning")
        try:
            found = try_fine_tuning(
                asked["dataset"], FeatureSet(**asked["features"]), settings, lambda more: _tell(told, {"advance": more})
            )
            _tell(told, {"trial": asdict(found)})
        except Problem as problem:
            _tell(told, {"problem": str(problem)})
        except MemoryError:
            _tell(told, {"problem": "it needs more memory than there is; set a smaller fine_tuning.batch"})


def try_fine_tuning(dataset: str, features: FeatureSet, settings: schema.Settings, advance: Advance) -> Trial:
    """Fine-tune on a sample, and hold it against a head alone, from the same photographs, on the validation images.

    Args:
        dataset: The hash of a dataset version.
        features: What the night's head takes.
        settings: The night's.
        advance: Is told how many more images have passed through the network.

    Returns:
        What the trial says.
    """
    store = settings.store.url
    rows, groups = read_manifest(store, dataset), groups_in(store)
    images = trial_images(rows, groups, settings)
    head = _head(images, features, settings, groups)
    course = _course(images, features, settings, head, advance)
    begun = process_time()
    backbone, tuned = course.unmeasured()
    learned = process_time()
    stored = ImageStore(store).read([row.image for row in images.judged])
    vectors = []
    for _, vector in embed(backbone, stored, limits_of(settings.images)):
        vectors.append(vector)
        advance(1)
    passes = epochs_of(settings) * len(images.learned)
    measured = Measurement(
        tuned=_right(tuned, np.stack(vectors), images.judged),
        frozen=_right(head, stored_features(store, features, [row.image for row in images.judged]), images.judged),
        groups=[groups.get(row.image, row.image) for row in images.judged],
        learning=(learned - begun) / passes,
        judging=(process_time() - learned) / len(images.judged),
        seconds=process_time(),
    )
    return trial_of(images, measured, rows, settings, datetime.now(UTC).date().isoformat())


def _head(images: TrialImages, features: FeatureSet, settings: schema.Settings, groups: Groups) -> Head:
    examples = examples_of(images.learned, images.classes, features, settings, groups)
    return train_head(images.classes, examples, recipe_of(settings.training))[0]


def _course(
    images: TrialImages, features: FeatureSet, settings: schema.Settings, head: Head, advance: Advance
) -> Course:
    store, tuning = settings.store.url, settings.fine_tuning.model_copy(update={"epochs": epochs_of(settings)})
    backbone = stored_backbone(store, features.fingerprint)
    train, nothing = (
        Labelled([row.image for row in some], [images.classes.index(row.label) for row in some])
        for some in (images.learned, ())
    )
    reading = Reading(ImageStore(store).read, limits_of(settings.images), backbone.size)
    lesson = Lesson(train, nothing, reading, settings.model_copy(update={"fine_tuning": tuning}))
    return Course(backbone, head, lesson, devices_of_this_machine(tuning.devices), advance)


def _right(head: Head, features: NDArray[np.float32], rows: Sequence[Row]) -> NDArray[np.bool_]:
    truth = np.array([head.classes.index(row.label) for row in rows])
    return np.asarray(head.logits(features).argmax(axis=1) == truth)


def _tell(place: IO[str], message: Mapping[str, Any]) -> None:
    place.write(f"{json.dumps(message)}\n")
    place.flush()


if __name__ == "__main__":
    main()
