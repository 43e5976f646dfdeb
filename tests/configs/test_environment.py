"""Where people see what MLflow keeps."""

import pytest

from configs.environment import embedded_mlflow, mlflow_pages


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
