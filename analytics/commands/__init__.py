"""Commands that have a module of their own; each is registered by one line of `analytics.__main__`."""
