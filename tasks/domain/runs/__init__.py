"""What a run comes to: its data, its challenger, its outcome, and its summary in MLflow."""
