"""The settings: what each is called, what it may be, and how files, options and the environment are read into them."""
