"""Commands that have a noun or a room of their own, a module each; `__main__` registers them."""
