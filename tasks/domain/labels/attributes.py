"""What is known of an image besides its class."""

#: Names and values, sorted by name.
Attributes = tuple[tuple[str, str], ...]
