"""Names of all that Pedigree writes into MLflow, each with what it means: metrics, tags, and files that are compared.

The reference of metrics and tags is made of these tables.
"""

from collections.abc import Sequence
from typing import NamedTuple

#: Figures of all images of a set, under the names that gate rules know; each set of images puts its name before them.
FIGURES = {
    "accuracy": "share of the images that are recognised",
    "top_3": "share of the images whose class is among the three likeliest",
    "macro_f1": "mean of the classes' F1 scores",
    "log_loss": "mean negative logarithm of the probability of the true class, in nats",
    "ece": "expected calibration error: how far confidence and accuracy are apart",
    "coverage": "share of the answers that are confident",
    "precision_when_sure": "selective accuracy: share of the confident answers that are right",
}
#: The steps whose seconds are kept, by the name under which a run counts them, with the name of the function.
STEPS = {
    "snapshot": "snapshot",
    "ingest": "ingest",
    "label": "label",
    "assemble": "assemble",
    "embed": "embed",
    "inspect": "write_data_card",
    "train": "train",
    "trial": "try_fine_tuning",
    "register": "register",
    "rehearse": "smoke_test",
    "evaluate": "evaluate",
    "explain": "write_report",
}
#: What a data card and a run know of a dataset version.
DATASET = {
    "images": "images of the dataset version",
    "classes": "classes",
    "train": "images in the training split",
    "validation": "images in the validation split",
    "test": "images in the test split",
    "added": "images that the parent version lacks; all of a first version",
    "removed": "images that only the parent version has",
    "relabelled": "images that carried another label in the parent version",
    "findings": "findings of the data card, such as labels that are probably wrong",
    "warnings": "warnings of the data card",
}
#: Files of a run that other files and pages of Pedigree lead to.
REPORT, MODEL_CARD, CHANGES = "evaluation/report.html", "evaluation/model-card.html", "evaluation/since-champion.html"
DATA_CARD, SHADOW, RECORD = "dataset/card.html", "live/shadow.html", "record.json"
#: The pages of every run that trained, under the names by which texts lead to them.
PAGES = {"the evaluation report": REPORT, "the model card": MODEL_CARD, "the data card": DATA_CARD}


class TrackedName(NamedTuple):
    """A name in MLflow, with placeholders such as ``<class>``, and what it means."""

    name: str
    meaning: str


#: Metrics of a run that trained, in groups by the part of the name before the slash.
METRICS: Sequence[TrackedName] = (
    *(TrackedName(f"test/{name}", f"{meaning}; test split") for name, meaning in FIGURES.items()),
    TrackedName("test/ece_uncalibrated", "expected calibration error before the temperature; test split"),
    TrackedName("test/worst_class", "recall of the class that is recognised worst, of those with enough test images"),
    TrackedName("test/worst_slice", "recall of the slice that is recognised worst; pedigree.worst_slice names it"),
    TrackedName("test/latency_ms", "milliseconds for one image on the machine that trained"),
    *(
        TrackedName(f"champion/{name}", f"{meaning}; the champion on the test images of classes that both know")
        for name, meaning in FIGURES.items()
    ),
    *(TrackedName(f"golden/{name}", f"{meaning}; golden set") for name, meaning in FIGURES.items()),
    TrackedName("recall/<class>", "share of a class's test images that are recognised, where there are enough"),
    TrackedName("slice/<attribute>:<value>", "share of a slice's test images that are recognised, over all classes"),
    TrackedName("gap/<attribute>", "recall of an attribute's best value minus that of its worst"),
    TrackedName("training/train_loss", "loss on the training split, by epoch of a fine-tuning"),
    TrackedName("training/train_accuracy", "accuracy on the training split, by epoch of a fine-tuning"),
    TrackedName("training/validation_loss", "loss on held-out images, by weight decay that was tried or by epoch"),
    TrackedName("training/validation_accuracy", "accuracy on held-out images, likewise"),
    TrackedName("training/l2", "weight decay, in the order in which it was tried; the last value is the one taken"),
    TrackedName("training/temperature", "number by which logits are divided so that probabilities are calibrated"),
    TrackedName("training/threshold", "probability from which an answer is confident"),
    TrackedName("training/held_out_groups", "groups of near duplicates behind the threshold"),
    TrackedName("training/validation_ece", "expected calibration error on held-out images"),
    TrackedName("training/validation_ece_uncalibrated", "the same before the temperature"),
    *(TrackedName(f"dataset/{name}", meaning) for name, meaning in DATASET.items()),
    TrackedName("random_split/claimed", "accuracy that a random split over files would have claimed"),
    TrackedName("random_split/honest", "accuracy of the same head where near duplicates stay in one split"),
    TrackedName("cost/seconds", "seconds of all steps of the run together"),
    *(TrackedName(f"cost/{step}_seconds", f"seconds of the step {step}") for step in STEPS.values()),
    TrackedName("cost/images_new", "images that were new in the source"),
    TrackedName("cost/images_rejected", "images that cannot be used"),
    TrackedName("cost/images_embedded", "images whose features were computed"),
    TrackedName("system/cpu_utilization_percentage", "how busy the machine's processors were, step by step"),
    TrackedName("system/system_memory_usage_megabytes", "the machine's memory in use at the end of each step"),
    TrackedName("system/process_peak_memory_megabytes", "most memory that the run's process has had by the step's end"),
    TrackedName("trial/<figure>", "what a trial of fine-tuning came to: fine_tuning.trial"),
    TrackedName("shadow/answers", "live photographs that a waiting challenger answered beside the champion"),
    TrackedName("shadow/disagreement", "share of these that the two answer differently"),
    TrackedName("shadow/both_sure_different", "those that both answer confidently, and differently"),
    TrackedName("live/<figure>", "what the service saw on one day; a run of its own, named live/<day>"),
)
#: Tags of a run. MLflow's own are among them where a client sets them.
RUN_TAGS: Sequence[TrackedName] = (
    TrackedName("pedigree.outcome", "promoted, rejected, needs-approval, rolled-back, held, lifted or abandoned"),
    TrackedName("pedigree.reason", "why, in one sentence"),
    TrackedName("pedigree.decision", "number of the last decision about the model in the ledger"),
    TrackedName("pedigree.model_version", "number of the registered version"),
    TrackedName("pedigree.worst_slice", "name of the slice behind test/worst_slice"),
    TrackedName("pedigree.person", "who decided last, where that was a person"),
    TrackedName("pedigree.why", "that person's reason"),
    TrackedName("pedigree.dataset", "hash of the dataset version"),
    TrackedName("pedigree.parent", "hash of the version before it; none for a first one"),
    TrackedName("pedigree.recipe", "hash of the settings that decide model and evaluation"),
    TrackedName("pedigree.backbone", "fingerprint of the backbone behind the head"),
    TrackedName("pedigree.head", "hash of the head's weights"),
    TrackedName("pedigree.flow_run", "id of the flow run in Prefect"),
    TrackedName("pedigree.flow_run_url", "address of its page, where Prefect has pages"),
    TrackedName("pedigree.owner", "the process that works on the run, as long as it does"),
    TrackedName("pedigree.decided_in", "run that decided about the same data and settings meanwhile"),
    TrackedName("pedigree.fine_tuning_trial", "what a trial of fine-tuning came to, in a sentence"),
    TrackedName("pedigree.live", "day of a run that reports what the service saw"),
    TrackedName("pedigree.version", "version that served on that day"),
    TrackedName("pedigree.drift", "what was unusual on that day; none where nothing was"),
    TrackedName("mlflow.user", "who started the run: a person at a terminal, or what of Prefect did"),
    TrackedName("mlflow.source.name", "the command, or the deployment in Prefect"),
    TrackedName("mlflow.source.type", "LOCAL for a terminal, JOB for a deployment"),
    TrackedName("mlflow.source.git.commit", "commit of the code"),
    TrackedName("mlflow.note.content", "description at the top of the run's page"),
    TrackedName("mlflow.loggedArtifacts", "list of the tables that MLflow compares, run beside run"),
)
#: Tags of a registered version.
VERSION_TAGS: Sequence[TrackedName] = (
    TrackedName("pedigree.outcome", "the last decision about it"),
    TrackedName("pedigree.decision", "number of that decision in the ledger"),
    TrackedName("pedigree.person", "who decided, where that was a person"),
    TrackedName("pedigree.why", "that person's reason"),
    TrackedName("pedigree.head", "hash of the head's weights"),
    TrackedName("pedigree.dataset", "hash of the dataset version"),
    TrackedName("pedigree.backbone", "fingerprint of the backbone"),
    TrackedName("pedigree.recipe", "hash of the settings that decide model and evaluation"),
    TrackedName("pedigree.store", "identity of the store whose model it is"),
    TrackedName("pedigree.flow_run", "id of the flow run in Prefect"),
    TrackedName("pedigree.flow_run_url", "address of its page, where Prefect has pages"),
)
#: Tags of the registered model.
MODEL_TAGS: Sequence[TrackedName] = (
    TrackedName("pedigree.store", "identity of the store whose models these are"),
    TrackedName("pedigree.followed", "number of the last decision of the ledger that MLflow shows"),
    TrackedName("pedigree.moved_by_hand", "aliases that a person moved in MLflow, against the ledger"),
)
#: Tables of a run that MLflow's artifact view shows run beside run, the first one first.
TABLES: Sequence[TrackedName] = (
    TrackedName("tables/answers.json", "test images that are answered wrongly, or otherwise than by the champion"),
    TrackedName("tables/changes.json", "images added, removed and relabelled since the parent version"),
    TrackedName("tables/figures.json", "recall of each class and slice, with the images behind it"),
    TrackedName("tables/rules.json", "what came of each rule of the gate"),
)
#: Files at the top of a run, which MLflow's page of compared runs shows side by side.
COMPARED_FILES: Sequence[TrackedName] = (
    TrackedName("answers.md", "the same as tables/answers.json"),
    TrackedName("changes.md", "the same as tables/changes.json"),
)
