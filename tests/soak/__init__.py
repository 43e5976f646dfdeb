"""Ten episodes against real servers, each with what may happen to a run: ``make soak``."""
