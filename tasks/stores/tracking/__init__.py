"""MLflow: its runs, its model registry, and the files of registered models."""
