"""A script that maintainers run by hand: it makes the demo's backbone."""
