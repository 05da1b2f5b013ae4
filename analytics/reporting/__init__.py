"""A result for people: sentences, tables, plots, a page, a terminal."""
