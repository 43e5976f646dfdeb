"""The run as a whole: the checks before it begins, and the summary when it ends."""
