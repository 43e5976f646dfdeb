"""From stored images to a dataset version: labels, splits, manifest and data card."""
