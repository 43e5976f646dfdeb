"""Decisions about models, and the record from which a model can be reproduced."""
