"""What the tables are made of: their one metadata, and columns both databases understand."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Enum, Integer, MetaData
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

_METADATA: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)
BIG: Final[Any] = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by INTEGER keys only
STRUCTURE: Final[Any] = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def word(kind: type[StrEnum], name: str) -> Any:
    """The type of a column that holds one of these words."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=20,
        values_callable=lambda words: [word.value for word in words],
    )


def where(condition: str) -> dict[str, Any]:
    """Options of an index that holds only the rows of which this is true."""
    return {"sqlite_where": sql(condition), "postgresql_where": sql(condition)}


def key() -> Any:
    """A primary key that counts by itself."""
    return Field(default=None, primary_key=True, sa_type=BIG)


def to(target: str, *, index: bool = False) -> Any:
    """A reference to another table's column."""
    return Field(foreign_key=target, sa_type=BIG, index=index)


class Base(SQLModel, registry=registry(metadata=_METADATA)):
    """Base of every table: its own metadata, so that no other SQLModel in the process joins the schema."""
