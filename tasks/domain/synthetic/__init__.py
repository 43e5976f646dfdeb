"""Drawn dogs: synthetic photographs for the demo and the tests."""
