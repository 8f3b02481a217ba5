"""dbt's `adapter`, for sqlfluff: dispatched macros become DuckDB's."""

from collections.abc import Callable
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context


@pass_context
def dispatch(context: Context, macro_name: str, _namespace: str) -> Callable[..., Any]:
    """Return the macro that dbt picks for DuckDB."""
    macro: Callable[..., Any] = context[f"duckdb__{macro_name}"]
    return macro
