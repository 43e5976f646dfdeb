"""The promotion gate: each written rule with its figure, its limit and its result."""
