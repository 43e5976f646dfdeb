"""A second network: which share of the photographs it sees, and what happens to them while the service is busy."""

import random
from threading import Event

import pytest

from configs.servers import Serve
from tasks.domain.hashing import hash_photograph
from tasks.domain.images.rejections import Rejection
from tasks.domain.serving.inbox.consent import Consent
from tasks.modeling.packaged_model import Prediction
from tasks.service.models.checked_model import build_checked_model
from tasks.service.models.served_model import Observation
from tasks.service.models.store_models import StoreModels
from tasks.service.sampling import WAITING, Sampler
from tests.servers import wait_until
from tests.tasks.service.champions import ChampionStore


@pytest.fixture
def observation(champions: ChampionStore) -> Observation:
    """Return a photograph with the champion's answer."""
    champions.promote(champions.head(1))
    source = StoreModels(champions.store, "dogs")
    identity = source.champion()
    assert identity
    model = build_checked_model(source, identity, Serve(), None).result.model
    square = model.squares.decode(champions.files[0])
    assert not isinstance(square, Rejection)
    features = model.backbone.network(square)
    prediction = model.predict(champions.files[0])
    return Observation(model, champions.files[0], square, features, prediction, None, "01", Consent.NONE)


def test_a_share_is_sampled_and_dropped_while_the_service_is_busy(observation: Observation) -> None:
    """About a twentieth of all photographs is taken; a few wait for an idle moment, and the others are dropped."""
    busy, compared = Event(), list[tuple[str, Prediction, Prediction]]()
    busy.set()

    def compare(image: str, champion: Prediction, challenger: Prediction) -> None:
        compared.append((image, champion, challenger))

    chance = random.Random(1)  # noqa: S311 - the same for each test
    sampler = Sampler(observation.model, 0.05, lambda: not busy.is_set(), compare, _chance=chance)
    sampler.start()
    for _ in range(4000):
        sampler.offer(hash_photograph, observation)
    assert 150 < sampler.dropped + WAITING < 250
    assert not compared
    busy.clear()
    wait_until(lambda: len(compared) == WAITING, 60, "the photographs that waited", pause=0.01)
    sampler.stop()
    same = hash_photograph(observation.data), observation.prediction, observation.prediction
    assert compared == [same] * WAITING, "the same model answers the same"


def test_what_waits_is_given_up_at_the_end(observation: Observation) -> None:
    """A sampler that is stopped holds no photograph, takes none, and its thread ends."""
    sampler = Sampler(observation.model, 1, lambda: False, lambda *_: None)
    sampler.start()
    sampler.offer(hash_photograph, observation)
    sampler.stop()
    sampler.offer(hash_photograph, observation)
    assert sampler.dropped == 1
    sampler.join()
