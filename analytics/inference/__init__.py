"""From sums to answers: effects with their errors, and when they may be believed."""
