"""Answers at the terminal: what a model says about files."""
