"""Scripts that maintainers run by hand: they make the demo's backbone and sheets of drawn dogs."""
