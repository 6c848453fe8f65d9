"""The refusal of input that makes no sense, in plain words for whoever sent it."""

from collections.abc import Mapping

from pydantic import ValidationError


class Refused(Exception):
    """Input that was understood well enough to be turned down. Holds no value: it may be personal."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class Unknown(Refused):
    """The refusal of an id that nothing has."""


_PLAIN: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is not a field of this message",
    "model_type": "must be one JSON object",
    "dict_type": "must be one JSON object",
    "model_attributes_type": "must be one JSON object",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "string_type": "must be text",
    "string_unicode": "holds broken characters: write plain text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a whole number of few digits",
    "decimal_parsing": 'is not an amount: write it as text such as "1200.00"',
    "decimal_type": 'is not an amount: write it as text such as "1200.00"',
    "finite_number": "must be a finite number",
    "greater_than": "must be above zero",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "too_short": "has too few items: at least {min_length}",
    "too_long": "has too many items: at most {max_length}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "date_from_datetime_parsing": "is not a date: use YYYY-MM-DD",
    "date_parsing": "is not a date: use YYYY-MM-DD",
    "date_type": "is not a date: use YYYY-MM-DD",
    "datetime_parsing": "is not a time: use ISO 8601 with an offset",
    "datetime_from_date_parsing": "is not a time: use ISO 8601 with an offset",
    "timezone_aware": "needs a time zone offset, such as 2026-03-01T09:00:00Z",
    "datetime_type": "is not a time: use ISO 8601 with an offset",
}


def refusal_of(error: ValidationError) -> Refused:
    """The first problem of a pydantic error, in plain words and without the value.

    Pydantic's own words never get through, except those that our own validators gave it.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "message"
    if first["type"] == "value_error":
        return Refused(field, first["msg"].removeprefix("Value error, "))
    known = _PLAIN.get(first["type"], "is not understood: write it as the documentation shows it")
    return Refused(field, known.format_map(first.get("ctx", {})))
