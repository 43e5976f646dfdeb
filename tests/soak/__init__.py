"""Ten nights against real servers, with all that nights bring: ``make soak``."""
