"""Where data are kept: objects, tables, plain files, and the tracking server."""
