"""Watching a source: whether new uploads are a reason to retrain before the nightly run."""
