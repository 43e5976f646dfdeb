"""Bars of the service, each measured in turns within one run: ``python -m tests.benchmarks.serving``."""
