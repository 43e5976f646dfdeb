"""The local stack: the processes of Prefect, MLflow and a worker on this machine, and whether they are healthy."""
