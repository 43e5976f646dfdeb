"""Tests of the steps that label, assemble and describe datasets."""
