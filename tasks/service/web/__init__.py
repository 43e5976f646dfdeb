"""The service as clients see it: addresses, bodies of requests, answers, problems, and who may ask."""
