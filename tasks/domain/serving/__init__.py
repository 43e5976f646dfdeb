"""The service's rules: what it takes on, what it answers, and what it says where it cannot."""
