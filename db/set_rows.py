"""Statements for many rows: one for each row on SQLite, one for all of them on PostgreSQL.

SQLite prepares a statement once and runs it in the process. PostgreSQL plans it and fires its
triggers for each row, so there one statement takes the rows as arrays, a column each (unnest).
"""

from __future__ import annotations

from collections.abc import Sequence

from db.session import SqlSession

Columns = Sequence[tuple[str, str]]
"""Names and PostgreSQL's types of the columns of given rows."""


async def run_for_rows(
    tx: SqlSession, statement: str, columns: Columns, rows: Sequence[Sequence[object]]
) -> None:
    """Run a statement that reads the ``columns`` of a table ``r``, which has these ``rows``.

    ``statement`` has ``{rows}`` where it names the table, as the first of its FROM. Rows must not
    write the same row twice.
    """
    if not rows:
        return
    names = ", ".join(name for name, _ in columns)
    if tx.engine == "sqlite":
        values = ", ".join(f"? AS {name}" for name, _ in columns)
        await tx.many(statement.format(rows=f"(SELECT {values}) AS r"), rows)
        return
    arrays = ", ".join(f"CAST(? AS {kind}[])" for _, kind in columns)
    await tx.run(
        statement.format(rows=f"unnest({arrays}) AS r ({names})"),
        [[row[at] for row in rows] for at in range(len(columns))],
    )
