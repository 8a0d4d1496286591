"""PostgreSQL: a pool of connections, statements, transactions. Only here psycopg2 and txpostgres are met."""

from messenger.core.database.connection import ForeignKeyViolation, Parameters, Row, UniqueViolation
from messenger.core.database.pool import Database
from messenger.core.database.transaction import Transaction
from messenger.core.database.versions import role_of, versions

__all__ = [
    "Database",
    "ForeignKeyViolation",
    "Parameters",
    "Row",
    "Transaction",
    "UniqueViolation",
    "role_of",
    "versions",
]
