"""The head: a linear classifier on features, how it is fitted, and how it is cross-validated."""
