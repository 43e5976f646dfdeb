"""The models of the service: where the champion is found, how it is checked before it answers, and what is kept."""
