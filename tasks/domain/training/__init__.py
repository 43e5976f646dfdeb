"""Training without a framework: calibration, the choice of a backbone cut, and the results of training."""
