"""Challenger and champion measured on the same images, the smoke test, and the evaluation report."""
