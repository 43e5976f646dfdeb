"""Dataset versions: splits, exclusions, leakage, image and label issues, the manifest and its hash, and diffs."""
