"""The base of every value Dunwell passes around: frozen, strict about unknown fields, plain JSON on the wire."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value. Unknown fields are an error, so that a misspelled field is not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MutableValue(BaseModel):
    """State that grows: mutable, and tolerant of fields a newer release wrote, so that old cases load."""

    model_config = ConfigDict(extra="ignore", validate_assignment=False)
