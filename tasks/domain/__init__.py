"""Pure functions and values: what can be computed without files, network or clock."""
