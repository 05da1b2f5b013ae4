"""From sums and unit tables to answers: effects with their errors, and when they may be believed."""
