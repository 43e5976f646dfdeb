"""The page for people: what it says, how it looks, and its addresses."""
