"""Lance tables in a store: images, features, snapshots of the source, and splits."""
