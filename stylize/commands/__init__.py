"""The commands of `stylize`, one file each; `stylize.__main__` registers them."""
