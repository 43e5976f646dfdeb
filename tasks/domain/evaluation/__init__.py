"""How good models are: metrics, slices, paired tests, learning curves, and which photographs would help."""
