"""The model as MLflow serves it: its package, its predict function, and the probe that loads it from outside."""
