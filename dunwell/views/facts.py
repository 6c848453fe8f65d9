"""What people and programs read, as plain facts by name: JSON for the API and `--json`, rows for a table."""

from typing import Any

Facts = dict[str, Any]
