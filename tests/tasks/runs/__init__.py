"""Tests of a run's begin and end."""
