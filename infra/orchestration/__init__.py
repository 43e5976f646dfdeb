"""What Prefect is told: deployments, concurrency limits, automations and the messages that they send."""
