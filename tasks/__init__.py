"""The steps of the line, a package for each stage, and what they share: stores, models, reports and the pure domain."""
