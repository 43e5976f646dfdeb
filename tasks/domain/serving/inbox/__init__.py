"""The inbox's rules: who agreed, what is worth a label, and what people say of answers."""
