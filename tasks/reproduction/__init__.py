"""Training a model of a former day again from its record, and comparing the two bit for bit."""
