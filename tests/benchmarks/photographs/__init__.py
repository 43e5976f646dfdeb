"""Tables measured on real photographs: ``tests.benchmarks.real_photographs`` prints them all."""
