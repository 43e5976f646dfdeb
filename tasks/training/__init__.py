"""From features to a registered model: fitting a head, fine-tuning a backbone, and packaging both."""
