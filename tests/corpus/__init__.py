"""Small sources of every odd kind that people and programs have brought, each with what must come of it."""
