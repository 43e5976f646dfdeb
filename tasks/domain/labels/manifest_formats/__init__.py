"""Formats of label manifests: CSV, JSON Lines, Label Studio, COCO and Roboflow."""
