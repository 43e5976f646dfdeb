"""The servers around the retraining: starting them on this machine, and deploying flows to them."""
