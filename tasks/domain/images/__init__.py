"""Single images: pixels for the model, colors, duplicates, properties, and why one is rejected."""
