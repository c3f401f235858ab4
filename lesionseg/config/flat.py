"""Nested settings as one level of dotted names."""

from collections.abc import Mapping
from typing import Any


def flat(settings: Mapping[str, Any], separator: str = ".", prefix: str = "") -> dict[str, Any]:
    """Flattens nested mappings: `{"model": {"depth": 4}}` becomes `{"model.depth": 4}`."""
    values: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        values |= flat(value, separator, f"{name}{separator}") if isinstance(value, Mapping) else {name: value}
    return values
