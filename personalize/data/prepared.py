"""Statements that every page sends: compiled and typed once, then handed to the driver as they are.

What SQLAlchemy does anew for each execution costs a page more than the database does, even of text.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Insert, Select
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError

Values = Sequence[Any]


class Prepared:
    """A statement in the words of one dialect.

    Args:
        names: of its parameters, in the order in which their values will be given.
        dialect: of the database that it is for.
    Raises:
        ValueError: the statement has other parameters.
    """

    def __init__(self, statement: Insert | Select[Any], names: Sequence[str], dialect: Dialect) -> None:
        keys = None if isinstance(statement, Select) else list(names)
        compiled = statement.compile(dialect=dialect, column_keys=keys)
        if compiled.binds.keys() != set(names):
            raise ValueError(f"expected values of {sorted(compiled.binds)}, got {sorted(names)}")
        self._text = str(compiled)
        places = {name: place for place, name in enumerate(names)}
        self._order = [places[name] for name in compiled.positiontup or ()]
        self._names = tuple(names)
        types = (compiled.binds[name].type.dialect_impl(dialect) for name in names)
        self._bind = _converters(each.bind_processor(dialect) for each in types)
        columns = statement.selected_columns if isinstance(statement, Select) else ()
        self._dialect, self._read = dialect, [column.type.dialect_impl(dialect) for column in columns]
        self._result: Converters | None = None

    def execute_many(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Run it for every row, in the transaction that has begun."""
        arguments = self._arguments(rows)
        with _cursor(connection, self._text, arguments) as cursor:
            cursor.executemany(self._text, arguments)

    def fetch_all(self, connection: Connection, values: Values) -> list[list[Any]]:
        """The rows of a query."""
        [arguments] = self._arguments([values])
        with _cursor(connection, self._text, arguments) as cursor:
            cursor.execute(self._text, arguments)
            found = cursor.fetchall()
            if self._result is None:  # what the driver gives of a type, its first answer says
                codes = [column[1] for column in cursor.description or ()]
                pairs = zip(self._read, codes, strict=True)
                self._result = _converters(each.result_processor(self._dialect, code) for each, code in pairs)
        return _converted(found, self._result)

    def _arguments(self, rows: Iterable[Values]) -> list[Any]:
        """As the driver wants them: by place, or by name."""
        converted = _converted(rows, self._bind)
        if self._order:
            return [tuple([row[place] for place in self._order]) for row in converted]
        return [dict(zip(self._names, row, strict=True)) for row in converted]


@contextmanager
def _cursor(connection: Connection, text: str, arguments: Any) -> Iterator[DBAPICursor]:
    """The driver's own, whose errors are raised as SQLAlchemy's."""
    dialect = connection.dialect
    cursor = connection.connection.cursor()
    try:
        yield cursor
    except dialect.loaded_dbapi.Error as error:
        base = dialect.loaded_dbapi.Error
        raise DBAPIError.instance(text, arguments, error, base, dialect=dialect) from error
    finally:
        cursor.close()


Converters = list[tuple[int, Callable[[Any], Any]]]


def _converters(processors: Iterable[Callable[[Any], Any] | None]) -> Converters:
    """Of the places whose values the driver does not take or give as they are."""
    return [(place, convert) for place, convert in enumerate(processors) if convert is not None]


def _converted(rows: Iterable[Values], converters: Converters) -> list[list[Any]]:
    """The rows with those values converted; one that stands in row after row, such as a time, is so once."""
    converted = [list(values) for values in rows]
    for place, convert in converters:
        last: Any = _NOTHING
        for row in converted:
            if row[place] is not last:
                last = row[place]
                made = convert(last)
            row[place] = made
    return converted


_NOTHING = object()
