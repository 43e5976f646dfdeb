"""Where people see what MLflow keeps."""

import subprocess
from pathlib import Path

import pytest

from configs.environment import embedded_mlflow, mlflow_pages, read_commit


def test_pages_of_mlflow_are_where_people_reach_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's own address without its login, or what a variable names; a database has those of the local server."""
    for name in ("PEDIGREE_MLFLOW_PAGES", "PEDIGREE_MLFLOW_LINKS"):
        monkeypatch.delenv(name, raising=False)
    assert mlflow_pages("https://mlflow.example/sub") == "https://mlflow.example/sub"
    assert mlflow_pages("http://ada:word@mlflow.example:5000") == "http://mlflow.example:5000"
    assert [mlflow_pages(url) for url in (embedded_mlflow(), "sqlite:////other.db", "databricks")] == ["", "", ""]
    monkeypatch.setenv("PEDIGREE_MLFLOW_PAGES", "http://127.0.0.1:5000")
    assert mlflow_pages(embedded_mlflow()) == "http://127.0.0.1:5000"
    assert mlflow_pages("https://mlflow.example") == "https://mlflow.example"
    assert mlflow_pages("sqlite:////other.db") == ""
    monkeypatch.setenv("PEDIGREE_MLFLOW_LINKS", "https://people.example")
    assert mlflow_pages("http://mlflow:5000") == "https://people.example"
    monkeypatch.setenv("PEDIGREE_MLFLOW_LINKS", "javascript:alert(1)")
    assert mlflow_pages("http://mlflow:5000") == ""


def test_only_a_change_of_the_code_is_one(tmp_path: Path) -> None:
    """Photographs and settings in a checkout leave its models' records as they were; a new module does not."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "a.py").write_text("")

    def git(*arguments: str) -> None:
        name = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", "-C", tmp_path, *name, *arguments], check=True, capture_output=True)  # noqa: S603, S607

    git("init")
    git("add", ".")
    git("commit", "-m", "the code")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").write_text("")
    (tmp_path / "settings.yaml").write_text("")
    assert read_commit(tmp_path)["git_dirty"] == "no"
    (tmp_path / "tasks" / "b.py").write_text("")
    assert read_commit(tmp_path)["git_dirty"] == "yes"
