"""Plain files in a store: ledger, manifests, records, weights and checksums."""
