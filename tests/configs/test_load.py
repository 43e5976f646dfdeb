"""Reading settings: what a person may write, and what is said when it is wrong."""

from pathlib import Path

import pytest

from configs.environment import lock_hash
from configs.errors import SettingsError
from configs.load import parse_settings, read_operations, read_settings, resolve

CONFIGS = Path(__file__).parents[2] / "configs"
LEAST = "source: {url: photos}\nstore: {url: store}\n"


@pytest.mark.parametrize("name", ["demo.yaml", "nightly.yaml"])
def test_shipped_settings_are_valid(name: str) -> None:
    """Every settings file that ships with the project can be read."""
    assert read_settings(CONFIGS / name).source.url


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        (LEAST + "trainning: {seed: 1}", (), "there is no setting trainning; did you mean training?"),
        ("sources: {url: photos}\nstore: {url: store}", (), "there is no setting sources; did you mean source?"),
        ("source: photos\nstore: {url: store}", (), "source holds settings of its own: write each on a line below it"),
        (LEAST + "training: {sed: 1}", (), "there is no setting training.sed; did you mean training.seed?"),
        (LEAST + "fine_tuning: {epochs: 0}", (), "fine_tuning.epochs = 0 is not allowed"),
        (LEAST + "training: {l2: fast}", (), "training.l2 = 'fast' is not allowed"),
        ("store: {url: store}", (), "the setting source is missing"),
        ("just words", (), "must hold sections"),
        ("source: [", (), "is not valid YAML in line"),
        (LEAST, ("training.seed",), "write it as section.setting=value"),
        (LEAST, ("backbone.cut=mixd7",), "backbone.cut = 'mixd7' is not allowed: input should be 'mixed0'"),
        (LEAST, ("backbone.cut=mixd7",), "did you mean mixed7?"),
        (LEAST, ("seed=1",), "write it as section.setting=value"),
        (LEAST, ("training.seed=-1",), "training.seed = -1 is not allowed"),
        (LEAST, ("labels.layout=coat", "labels.layout=a b"), "labels.layout = 'a b' is not allowed"),
        (LEAST, ("training.seed=[",), "is not valid YAML"),
        (LEAST, ("backbone.weights=inception.h5",), "set backbone.sha256"),
        (LEAST, ("dataset.test_percent=50", "dataset.validation_percent=40"), "more than 80 together"),
        (LEAST + "notify: {chanels: [slack]}", (), "there is no setting notify.chanels; did you mean notify.channels?"),
        (LEAST, ("notify.channels=[email]",), "set notify.email_to"),
        (LEAST, ("notify.blocks=[team]",), "such as slack-webhook/team"),
        (LEAST, ("servers.prefect_database=mysql://a/b",), "write it as postgresql://user@host:5432/name"),
        (LEAST, ("servers.authentication=true",), "set it to MLflow's address"),
        (LEAST, ("servers.mlflow_database=postgresql://ann@db/mlflow",), "set it to MLflow's address"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, changes: tuple[str, ...], message: str) -> None:
    """A wrong setting is answered with one line that names it, and with exit code 2."""
    with pytest.raises(SettingsError) as caught:
        read_settings(_written(tmp_path, text), changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_without_an_address_the_store_lies_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever moves PEDIGREE_HOME moves the store with it, unless a settings file names another place for it."""
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path / "home"))
    short, shipped = _written(tmp_path, "source: {url: photos}"), CONFIGS / "nightly.yaml"
    for path in (short, shipped):
        assert read_settings(path).store.url == str(tmp_path / "home" / "store")
    assert read_settings(short, ["store.images=reference"]).store.url == str(tmp_path / "home" / "store")
    assert read_settings(short, ["store.url=/elsewhere"]).store.url == "/elsewhere"


@pytest.mark.parametrize("url", ["postgresql://ann:hush@db/prefect", "postgresql://ann@db/prefect?password=hush"])
def test_a_password_in_a_settings_file_is_refused(tmp_path: Path, url: str) -> None:
    """A password belongs into the environment: it is refused, with the way out, and not repeated."""
    with pytest.raises(SettingsError, match="set PGPASSWORD") as caught:
        read_operations(_written(tmp_path, LEAST), [f"servers.prefect_database={url}"])
    assert "hush" not in str(caught.value)


def test_what_the_servers_read_is_no_setting_of_a_run(tmp_path: Path) -> None:
    """Servers and messages change nothing in what a run, its form, its run in MLflow and its record are told."""
    more = "servers: {artifacts: files}\nnotify: {channels: [slack]}\n"
    file = _written(tmp_path, LEAST + more)
    operations = read_operations(file)
    assert operations.notify.channels == ("slack",)
    assert Path(operations.servers.artifacts).is_absolute()
    assert read_settings(file) == read_settings(_written(tmp_path, LEAST))


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    """A settings file that is missing, or is no text, is answered with its name."""
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.yaml", "binary.yaml"):
        with pytest.raises(SettingsError, match=name):
            read_settings(tmp_path / name)


def test_changes_win_over_the_file(tmp_path: Path) -> None:
    """A change given on the command line replaces what the file says, and only that."""
    settings = read_settings(_written(tmp_path, LEAST + "training: {seed: 1, l2: 0.5}"), ["training.seed=5"])
    assert (settings.training.seed, settings.training.l2) == (5, 0.5)


def test_paths_become_absolute_and_addresses_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is taken from the folder where the command was given; an s3:// address stays as it is."""
    monkeypatch.chdir(tmp_path)
    settings = resolve(parse_settings({"source": {"url": "photos"}, "store": {"url": "s3://bucket/store"}}, "here"))
    assert settings.source.url == str(tmp_path / "photos")
    assert settings.store.url == "s3://bucket/store"


def test_an_empty_tracking_address_is_the_embedded_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an MLflow address, runs go to the database in Pedigree's home folder."""
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path / "home"))
    assert read_settings(_written(tmp_path, LEAST)).tracking.url == f"sqlite:///{tmp_path / 'home' / 'mlflow.db'}"


def test_the_lock_is_named_by_its_hash() -> None:
    """The lock file of this installation has a SHA-256 name, so that a run can record it."""
    assert len(lock_hash()) == 64


def _written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path
