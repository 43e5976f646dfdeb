"""Who is champion: the gate, a person's overrides, the ledger's decisions, and the registry that follows them."""
