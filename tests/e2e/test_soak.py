"""A short soak: an outage, a killed run and two starts at once, against real servers; make soak has ten."""

from pathlib import Path

import pytest

from tasks.stores.objects.s3_client import s3_client
from tests import servers
from tests.soak.episodes import SHORT, loose_ends, play
from tests.soak.world import world

_MISSING = servers.missing_programs(servers.CEPH_PROGRAMS)


@pytest.mark.timeout(1200)
@pytest.mark.skipif(bool(_MISSING), reason=f"a real S3 server needs {', '.join(_MISSING)}")
def test_episodes_end_as_they_must_whatever_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each episode ends in its named state, and then ledger, MLflow and aliases are as if nothing had happened."""
    s3_client.cache_clear()
    with world(tmp_path / "world") as soak_world:
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            monkeypatch.setenv(name, soak_world.environment[name])
        results = play(soak_world, SHORT)
        assert [(result.name, result.ended) for result in results if not result.fine] == []
        assert [result.decisions for result in results] == [1, 2, 3, 4]
        assert loose_ends(soak_world) == []
    s3_client.cache_clear()
