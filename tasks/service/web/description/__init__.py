"""What OpenAPI says of the service."""
