"""Unit tables from files and data frames, cleaned by the same rules as what `analytics.sql` reads."""
