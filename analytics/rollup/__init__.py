"""User totals and user days kept beside the logs, so that an answer does not read the logs again.

rollup     the front door: which rollup, how it is refreshed, a user's erasure
refresh    finds what changed and folds it, a day a transaction
log_days   counts the rows of each log and day, by which changes are found
folding    puts what the logs say of a span in the place of what the rollup said
funnel     keeps the counts of rows that each rule dropped
numbering  gives users and variants the numbers that the tables know them by
read       answers from the tables
tables, at, spans: the tables, one rollup on one connection, stretches of time
"""

from analytics.rollup.rollup import Rollup, forget_user

__all__ = ["Rollup", "forget_user"]
