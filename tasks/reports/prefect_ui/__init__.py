"""What a run shows in the Prefect UI and at the terminal: artifacts, progress and final states."""
