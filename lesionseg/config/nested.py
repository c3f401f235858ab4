"""Walking through nested settings."""

from collections.abc import Iterator, Mapping
from typing import Any


def flat(settings: Mapping[str, Any], separator: str = ".", prefix: str = "") -> dict[str, Any]:
    """Flattens nested mappings: `{"model": {"depth": 4}}` becomes `{"model.depth": 4}`."""
    values: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        values |= flat(value, separator, f"{name}{separator}") if isinstance(value, Mapping) else {name: value}
    return values


def target_nodes(node: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the dotted path and the node of every `_target_`, however deep."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield path, node
        for key, child in node.items():
            yield from target_nodes(child, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from target_nodes(child, f"{path}[{index}]")
