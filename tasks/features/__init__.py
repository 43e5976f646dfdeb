"""From images to features: which cut of the backbone, and the embedding of what is not stored yet."""
