"""Web pages that need no server: data card, evaluation report, model card, and the diff of two dataset versions."""
