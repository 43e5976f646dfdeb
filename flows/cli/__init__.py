"""The command line: it reads commands and options, runs a flow or asks the catalog, and shows the answer."""
