"""Collecting: what people say of answers, and the photographs that they agree to have kept."""
