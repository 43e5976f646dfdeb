"""The doctor: whether this machine, source, store and servers are fit for a run, each with its remedy."""
