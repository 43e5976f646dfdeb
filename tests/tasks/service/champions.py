"""Stores with champions, as runs leave them, and a real service of them on a free port."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import numpy as np

from configs.servers import Inbox, Serve
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.preprocessing import Limits
from tasks.domain.registry.decisions import Decision, DecisionOutcome
from tasks.domain.registry.model_record import Record
from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw
from tasks.domain.training.results import FeatureSet
from tasks.features.stored_models import keep_backbone
from tasks.modeling.backbone.backbone import Backbone
from tasks.modeling.backbone.embedding import embed_images
from tasks.modeling.backbone.self_test import examine_machine
from tasks.modeling.head.head import Head
from tasks.service.live_records import keep_pictures
from tasks.service.models.store_models import StoreModels
from tasks.service.server import NO_RECORDS, Records, Service, open_service
from tasks.stores.store import Store
from tests.images import validate_image
from tests.servers import wait_until

LIMITS = Limits(50 * 2**20, 100 * 10**6, 32)
CLASSES = ("corgi", "poodle", "pug")


def dogs(number: int, side: int = 96) -> list[bytes]:
    """Draw so many dogs as PNG files."""
    files = []
    for seed in range(number):
        sink = io.BytesIO()
        draw(BREEDS[seed % len(BREEDS)], COATS[seed % len(COATS)], seed, side=side).save(sink, "PNG")
        files.append(sink.getvalue())
    return files


@dataclass
class ChampionStore:
    """A store whose images are embedded already, and to which heads are promoted one after the other."""

    url: str
    backbone: Backbone
    files: list[bytes]
    names: list[str] = field(default_factory=list)
    dataset: str = ""

    @property
    def store(self) -> Store:
        """The store."""
        return Store(self.url)

    def fill(self) -> "ChampionStore":
        """Write images, their version, the backbone, and what it makes of them."""
        infos = [info for data in self.files if isinstance(info := validate_image(data, LIMITS), ImageInfo)]
        self.names = [info.image for info in infos]
        store = self.store
        store.claim_format()
        store.images.add(list(zip(infos, self.files, strict=True)))
        rows = [
            Row(info.image, CLASSES[number % 3], Split.TEST if number % 2 else Split.TRAIN, (), f"{number}.png")
            for number, info in enumerate(infos)
        ]
        self.dataset = dataset_hash(rows)
        store.manifests.write(self.dataset, rows)
        self.embed()
        return self

    def embed(self) -> None:
        """Write the backbone, its machine and its features."""
        store, backbone = self.store, self.backbone
        keep_backbone(store, backbone, backbone.to_bytes())
        store.backbones.first_machine(backbone.fingerprint, examine_machine(backbone))
        named = zip(self.names, self.files, strict=True)
        vectors = np.stack([vector for _, vector in embed_images(backbone, named, LIMITS)])
        store.features(backbone.fingerprint, backbone.width).add(self.names, vectors)

    def head(self, seed: int) -> Head:
        """Make a head from chance, small enough that no class is certain."""
        chance = np.random.default_rng(seed)
        weights = chance.normal(scale=0.2, size=(self.backbone.width, len(CLASSES))).astype(np.float32)
        return Head(CLASSES, weights, chance.normal(size=len(CLASSES)).astype(np.float32), 1.5, 0.5)

    def promote(self, head: Head, run: str = "run") -> Decision:
        """Write a head and its record, and promote it."""
        return self._decide(head, "promoted", run)

    def let_wait(self, head: Head, run: str = "run") -> Decision:
        """Write a head and its record, and let it wait for a person."""
        return self._decide(head, "needs-approval", run)

    def let_wait_for_data(self, head: Head, run: str = "run") -> Decision:
        """Write a head and its record, and reject it only since nothing shows that it is better."""
        return self._decide(head, "rejected", run, [{"rule": "better at accuracy, more data", "outcome": "failed"}])

    def _decide(
        self, head: Head, outcome: DecisionOutcome, run: str, rules: Sequence[Mapping[str, Any]] = ()
    ) -> Decision:
        store = self.store
        number = len(store.ledger.entries()) + 1
        features = FeatureSet(self.backbone.fingerprint, self.backbone.width)
        store.heads.write(head.name, head.to_bytes())
        store.records.write(Record(self.dataset, {}, features, features, head.name, {"git_commit": "none"}, {}))
        decision = Decision(
            number=number,
            time=f"2026-11-{number:02}T02:00:00+00:00",
            outcome=outcome,
            champion=number if outcome == "promoted" else store.ledger.entries()[-1].champion,
            against=number - 1 or None,
            dataset=self.dataset,
            recipe="recipe",
            backbone=self.backbone.fingerprint,
            head=head.name,
            run_id=run,
            model_version=str(number),
            reason="it is better",
            rules=rules,
        )
        assert store.ledger.append(decision)
        return decision

    def roll_back(self) -> Decision:
        """Let the champion before the last one serve again."""
        entries = self.store.ledger.entries()
        last, former = entries[-1], next(entry for entry in entries if entry.number == entries[-1].against)
        decision = replace(
            last, number=last.number + 1, outcome="rolled-back", champion=former.number, person="x", why="y"
        )
        assert self.store.ledger.append(decision)
        return decision

    def expected(self, head: Head) -> dict[bytes, dict[str, float]]:
        """Return what a head says about the stored features of each file."""
        features = self.store.features(self.backbone.fingerprint, self.backbone.width).read(self.names)
        rows = head.probabilities(np.asarray(features, np.float32)).tolist()
        return {data: dict(zip(head.classes, row, strict=True)) for data, row in zip(self.files, rows, strict=True)}


def damage(path: Path) -> None:
    """Change one byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


@contextmanager
def serving(
    store: ChampionStore, inbox: str = "", records: Records = NO_RECORDS, /, **settings: object
) -> Iterator[tuple[Service, httpx.Client]]:
    """Serve a store's champion on a free port, with an inbox where one is named, and wait until it is ready."""
    section = Serve.model_validate({"port": 0, **settings})
    records = keep_pictures(records, Inbox(url=inbox, random_share=0), [store.url])
    service = open_service(StoreModels(store.store, "dogs"), section, records=records)
    thread = Thread(target=service.run, args=(lambda _address: None,))
    thread.start()
    try:
        with httpx.Client(base_url=service.address, timeout=60) as client:
            wait_until(lambda: client.get("/live").status_code == 200, 60, "the service", pause=0.02)
            yield service, client
    finally:
        service.stop()
        thread.join()


def ready(client: httpx.Client) -> bool:
    """Tell whether the service answers photographs."""
    return client.get("/ready").status_code == 200


def ask(client: httpx.Client, data: bytes, kind: str = "image/png") -> httpx.Response:
    """Send one photograph."""
    return client.post("/v1/predict", content=data, headers={"Content-Type": kind})


def following(client: httpx.Client) -> Mapping[str, Any]:
    """Return what the service says about how it follows decisions."""
    plain: dict[str, Any] = json.loads(client.get("/ready").text)["following"]
    return plain
