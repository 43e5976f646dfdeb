"""Untrusted files are decoded in sandboxed processes that are killed where they take too long."""
