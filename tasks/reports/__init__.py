"""What people look at: web pages, and what a run shows in the Prefect UI."""
