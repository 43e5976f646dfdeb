"""First steps: what a person does before the first run."""
