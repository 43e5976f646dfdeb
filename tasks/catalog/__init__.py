"""Questions about a store, and its care: list, compare, find, export, forget and verify."""
