"""From objects in a source to stored images: list, fetch, decode in a sandbox, and keep or reject."""
