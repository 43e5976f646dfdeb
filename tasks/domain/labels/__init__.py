"""Labels: what folders, manifests and metadata say, and which labels are probably wrong."""
