"""The backbone: a convolutional network that turns images into features, its weights and its pretraining."""
