"""Who is champion is followed, and a model that is not as it was evaluated never answers."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from configs.cores import count_cores
from configs.environment import home
from configs.servers import Serve
from tasks.domain.hashing import sha256_of
from tasks.service.models.following import Follower
from tasks.service.models.last_good import LastGood
from tasks.service.models.store_models import StoreModels
from tests.tasks.service.champions import ChampionStore, damage


class Notes:
    """What a follower reported and wrote."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.swaps: list[str] = []
        self.refusals: list[tuple[str, str]] = []
        self.sentences: list[str] = []

    def follow(self, champions: ChampionStore) -> Follower:
        """Make a follower that looks when it is told to."""
        source = StoreModels(champions.store, "dogs")
        last_good = LastGood(home() / "serving" / sha256_of(source.place)[:12])
        return Follower(
            source,
            last_good,
            Serve(),
            lambda outcome, _: self.swaps.append(outcome),
            self.sentences.append,
            on_refusal=lambda champion, reason: self.refusals.append((champion.version, reason)),
        )


def version(follower: Follower) -> str:
    """Name the version that serves."""
    return follower.model.identity.version if follower.model else ""


def test_a_new_head_takes_over_on_the_same_network(champions: ChampionStore) -> None:
    """A promotion and a rollback are live at the next look, and the network and the decoders stay the same objects."""
    notes = Notes()
    follower = notes.follow(champions)
    waits = f"the ledger of {champions.url} has no champion yet"
    for _ in "ab":
        follower.look()
        assert (version(follower), follower.following.waits) == ("", waits)
    # Whoever started the service is told once, and what to do.
    assert notes.sentences == [f"{waits}: pedigree retrain trains one, and it serves as soon as it is promoted."]
    champions.promote(champions.head(1))
    follower.look()
    first = follower.model
    champions.promote(champions.head(2))
    follower.look()
    second = follower.model
    assert first
    assert second
    assert (first.identity.short, second.identity.version) == (f"1@{champions.head(1).name[:4]}", "2")
    assert second.backbone is first.backbone
    assert second.squares is first.squares
    assert len(second.squares.processes) == count_cores(), "no client waits for a process to start"
    champions.roll_back()
    follower.look()
    assert follower.model
    assert (version(follower), follower.model.identity.decision) == ("1", 3)
    assert (
        follower.following.checked
        == "8 test images answered as evaluated, bit for bit, and a bad file refused with a reason"
    )


def test_another_network_is_loaded_beside_the_one_that_serves(champions: ChampionStore) -> None:
    """Whoever holds the former model gets its answers to the end, and the new one has a network of its own."""
    follower = Notes().follow(champions)
    former_head = champions.head(1)
    champions.promote(former_head)
    follower.look()
    former, data = follower.model, champions.files[0]
    rounded = replace(champions, backbone=replace(champions.backbone, precision="float16"))
    rounded.embed()
    head = rounded.head(2)
    rounded.promote(head)
    follower.look()
    assert former
    assert follower.model
    assert follower.model.backbone is not former.backbone
    assert follower.model.predict(data).probabilities == rounded.expected(head)[data]
    assert former.predict(data).probabilities == champions.expected(former_head)[data]


def test_a_damaged_model_never_answers(champions: ChampionStore) -> None:
    """One changed byte in a head's file: the former model goes on, and it is said why; once mended it serves."""
    notes = Notes()
    follower = notes.follow(champions)
    champions.promote(champions.head(1))
    follower.look()
    intact = champions.head(2)
    champions.promote(intact)
    file = Path(champions.url) / "heads" / f"{intact.name}.npz"
    damage(file)
    follower.look()
    assert version(follower) == "1"
    assert f"heads/{intact.name}.npz" in follower.following.refused
    follower._refusal.until = 0
    follower.look()
    assert notes.swaps == ["ok", "refused", "refused"]
    assert notes.refusals == [("2", follower.following.refused)], "whoever is told need not hear it at each try"
    file.write_bytes(intact.to_bytes())
    follower.look()
    assert version(follower) == "1", "it is not tried again at once"
    follower._refusal.until = 0
    follower.look()
    assert (version(follower), follower.following.refused) == ("2", "")


def test_a_model_that_answers_otherwise_than_evaluated_never_answers(champions: ChampionStore) -> None:
    """The golden images say what a head must give: one whose stored features are another network's is refused."""
    follower = Notes().follow(champions)
    champions.promote(champions.head(1))
    others = np.random.default_rng(1).normal(size=(len(champions.names), champions.backbone.width)).astype(np.float32)
    shutil.rmtree(Path(champions.url) / "features")
    champions.store.features(champions.backbone.fingerprint, champions.backbone.width).add(champions.names, others)
    follower.look()
    assert version(follower) == ""
    assert "8 of 8 test images answered unlike the evaluation" in follower.following.refused


def test_without_the_store_it_goes_on_and_starts_from_its_copy(champions: ChampionStore) -> None:
    """Where the store is gone the model stays; a new process starts from the copy, and a damaged copy is not taken."""
    notes = Notes()
    follower = notes.follow(champions)
    champions.promote(champions.head(1))
    follower.look()
    shutil.move(champions.url, f"{champions.url}-away")
    follower.look()
    assert version(follower) == "1"
    assert follower.following.unreachable
    again = Notes().follow(champions)
    again.look()
    assert again.model
    assert again.model.identity == follower.model.identity if follower.model else False
    (copy,) = follower.last_good.folder.iterdir()
    damage(copy / "head.npz")
    last = Notes().follow(champions)
    last.look()
    assert last.model is None
    assert "damaged" in last.following.waits
    shutil.move(f"{champions.url}-away", champions.url)
    last.look()
    assert version(last) == "1"
    assert not last.following.unreachable
