"""Holding configured arguments against the signatures of what they are for."""

import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from hydra.utils import get_object
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

HYDRA_KEYS = {"_target_", "_partial_", "_convert_", "_recursive_", "_args_"}


def target_nodes(node: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Finds every node with a `_target_`, however deep, with its dotted path."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield path, node
        for key, child in node.items():
            yield from target_nodes(child, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from target_nodes(child, f"{path}[{index}]")


def argument_faults(node: Mapping[str, Any]) -> Iterator[str]:
    """Checks one `_target_` node's arguments against the signature of what it names."""
    target = node["_target_"]
    try:
        found = get_object(target)
        parameters = inspect.signature(found).parameters
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        yield f"_target_ {target} cannot be used: {error}"
        return
    given = {str(name): value for name, value in node.items() if name not in HYDRA_KEYS}
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    for name in given.keys() - parameters if not open_ended else ():
        likely = get_close_matches(name, parameters, n=1)
        hint = f" (did you mean {likely[0]}?)" if likely else ""
        yield f"{target} has no argument {name}{hint}; allowed: {', '.join(parameters)}"
    if not node.get("_partial_"):
        yield from _missing(target, given, parameters)
    yield from _wrong_types(found, given)


def _missing(target: str, given: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter]) -> Iterator[str]:
    """Finds arguments that have no default and no value."""
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    for name, parameter in parameters.items():
        needed = parameter.default is parameter.empty and parameter.kind in by_name
        if needed and name not in given:
            yield f"{target} needs the argument {name}"


def _wrong_types(found: Any, given: Mapping[str, Any]) -> Iterator[str]:
    """Holds plain values against the annotations; parts that are built from nodes of their own are not values."""
    annotations = _annotations(found)
    for name, value in given.items():
        if name not in annotations or next(target_nodes(value, ""), None):
            continue
        try:
            # Arbitrary classes in an annotation are checked by their own constructors, not here.
            adapter: TypeAdapter[Any] = TypeAdapter(annotations[name], config=ConfigDict(arbitrary_types_allowed=True))
        except (PydanticUserError, TypeError, NameError):
            continue
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            yield f"{name} is {value!r}: {' or '.join(fault['msg'] for fault in error.errors())}"


def _annotations(found: Any) -> dict[str, Any]:
    """Resolves the annotations of a function or of a class's constructor; nothing where they cannot be resolved."""
    function = vars(found).get("__init__") if isinstance(found, type) else found
    if not isinstance(function, types.FunctionType):
        return {}
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError):
        return {}
