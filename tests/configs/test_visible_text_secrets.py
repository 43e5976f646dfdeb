"""Secrets in addresses: refused without being repeated, and never shown."""

from pathlib import Path

import pytest

from configs.errors import SettingsError
from configs.load import read_operations, read_settings
from configs.visible_text import find_secret, shown
from tasks.stores.objects.object_store import open_bucket

LEAST = "source: {url: photos}\nstore: {url: store}\n"
SECRETS = [
    ("tracking.url=http://ann:hush@mlflow", "tracking.url holds", "MLFLOW_TRACKING_PASSWORD"),
    ("tracking.url=https://hush@mlflow", "tracking.url holds", "MLFLOW_TRACKING_TOKEN"),
    ("tracking.url=http://mlflow/?access_token=hush", "tracking.url holds", "MLFLOW_TRACKING_TOKEN"),
    ("tracking.url=[http://ann:hush@mlflow]", "tracking.url holds", "MLFLOW_TRACKING_PASSWORD"),
    ("tracking.url=postgresql://ann:hush@db/mlflow", "tracking.url holds", "PGPASSWORD"),
    ("tracking.url=mysql+pymysql://ann:hush@db/mlflow", "tracking.url holds", "environment"),
    ("source.url=s3://KEY:hush@dogs/in", "source.url holds", "AWS_SECRET_ACCESS_KEY"),
    ("source.url=s3://KEY:hu/hush@dogs/in", "source.url holds", "AWS_SECRET_ACCESS_KEY"),
    ("source.url=https://dogs.s3.amazonaws.com/in?X-Amz-Signature=hush", "source.url holds", "leave it out"),
    ("store.url=s3://hush@dogs", "store.url holds", "AWS_PROFILE"),
    ("backbone.weights=https://example.org/inception.h5?token=hush", "backbone.weights holds", "leave it out"),
    ("notify.smtp_server=smtp://ann:hush@mail.example.org", "notify.smtp_server holds", "PEDIGREE_SMTP_PASSWORD"),
    ("notify.smtp_server=ann:hush@mail.example.org:587", "notify.smtp_server holds", "PEDIGREE_SMTP_PASSWORD"),
    ("notify.blocks=[https://hooks.slack.com/services/hush]", "notify.blocks has", "slack-webhook/team"),
    ("servers.artifacts=s3://KEY:hush@files", "servers.artifacts holds", "AWS_SECRET_ACCESS_KEY"),
    ("servers.mlflow_database=postgresql://ann:hu/hush@db/mlflow", "servers.mlflow_database holds", "PGPASSWORD"),
    ("servers.prefect_database=postgresql://ann@db/prefect?password=hush", "servers.prefect_database holds", "PGPASS"),
    ("tracking.url http://ann:hush@mlflow", "--set tracking.url", "section.setting=value"),
]


@pytest.mark.parametrize(("change", "message", "way_out"), SECRETS)
def test_secrets_in_settings_are_refused(tmp_path: Path, change: str, message: str, way_out: str) -> None:
    """Any address with a password, a key or a token is refused; the sentence names where that belongs."""
    file = tmp_path / "settings.yaml"
    file.write_text(LEAST, encoding="utf-8")
    read = read_operations if change.startswith(("notify", "servers")) else read_settings
    with pytest.raises(SettingsError) as caught:
        read(file, [change])
    assert message in str(caught.value)
    assert way_out in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "s3://dogs/in@2x/a:b",
        "http://127.0.0.1:5000",
        "http://[::1]:5000/?page=2",
        "https://mlflow.example.org/a@b",
        "postgresql://ann@db:5432/mlflow?sslmode=require&sslkey=client.key",
        "sqlite:////data/ann@work/a:b.db",
        "file:///photos/ann:b@c",
        "photos/ann:hush@c?token=x",
    ],
)
def test_addresses_without_secrets_stay(address: str) -> None:
    """A key, a path or a database's user is no secret, whatever signs are in it."""
    assert not find_secret(address)
    assert find_secret(shown(address)) == ""


def test_a_store_named_by_itself_may_not_hold_a_secret() -> None:
    """An address that did not come out of settings is refused as well, without being repeated."""
    for address in ("s3://KEY:hush@dogs", "http://ann:hush@dogs", "ftp://dogs/?token=hush"):
        with pytest.raises(SettingsError) as caught:
            open_bucket(address)
        assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        'Could not connect to the endpoint URL: "http://ann:hush@s3.example.org/dogs?list-type=2"',
        "postgresql://ann:hu/hush@db/x is not there, nor https://hush@h",
        "GET https://dogs/a.jpg?X-Amz-Signature=hush&X-Amz-Security-Token=hush",
    ],
)
def test_secrets_of_the_environment_are_not_shown(text: str) -> None:
    """What a server's or a library's sentence repeats of an address is shown without its secret."""
    assert "hush" not in shown(text)
    assert "…" in shown(text)
