"""The same of files and data frames."""
