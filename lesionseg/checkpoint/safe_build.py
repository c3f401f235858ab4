"""Building objects that a file asks for, which nobody vouches for."""

import inspect
import re
import reprlib
import typing
from collections.abc import Iterator, Mapping
from importlib import import_module
from inspect import isabstract, isclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from lesionseg.errors import InputError, raise_all

Built = TypeVar("Built")

STRICT = ConfigDict(strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)
"""Refuses values of another type (`True` or `"1"` for 1), infinity and NaN."""


def build_named(node: Mapping[str, Any], kind: type[Built], package: str) -> Built:
    """Builds an object of one of lesionseg's classes that a file names as `_target_`.

    A name is no proof (`lesionseg.x.sys.exit` starts with `lesionseg.` and is `sys.exit`), so the object that it
    resolves to is checked: it must be a class of the wanted kind that is defined in a module directly in `package`.
    Arguments must be plain values of its constructor's types, or objects of the same kind that were built in the same
    way. A text such as `${oc.env:HOME}` stays a text.

    Raises:
        InputError: Any of this does not hold, or the class refuses its arguments.
    """
    target = str(node.get("_target_"))
    found = _named_class(target, kind, package)
    arguments = {name: value for name, value in node.items() if name != "_target_"}
    if any(str(name).startswith("_") or not _is_plain(value, kind) for name, value in arguments.items()):
        raise InputError(f"the file gives {target} nested settings; allowed: plain values")
    return build_strictly(found, arguments)


def build_strictly(found: type[Built], arguments: Mapping[str, Any]) -> Built:
    """Builds an object from plain values that fit its constructor's annotations.

    Raises:
        InputError: They do not fit, or the constructor refuses them.
    """
    name = f"{found.__module__}.{found.__qualname__}"
    raise_all(f"{name} cannot be built as the file asks:", list(_faults(found, arguments)))
    try:
        return found(**arguments)
    except Exception as error:  # a number that nobody thought of may end in any type of error
        raise InputError(f"{name} cannot be built as the file asks: {error}") from error


def _named_class(target: str, kind: type[Built], package: str) -> type[Built]:
    """Finds the class that a file names, if a file may name it."""
    if not re.fullmatch(re.escape(package) + r"\.[a-z][a-z0-9_]*\.[A-Z][A-Za-z0-9]*", target):
        raise InputError(f"the file asks for {reprlib.repr(target)}; allowed: a class in a module of {package}")
    module_name, class_name = target.rsplit(".", 1)
    try:
        found = getattr(import_module(module_name), class_name, None)
    except ModuleNotFoundError as error:
        raise InputError(f"the file asks for {target}; this lesionseg has no {module_name}") from error
    if not isclass(found) or not issubclass(found, kind) or isabstract(found) or found.__module__ != module_name:
        raise InputError(f"the file asks for {target}, which is no {kind.__name__} defined in {module_name}")
    return found


def _is_plain(value: Any, kind: type[Any]) -> bool:
    """Tells plain values, and mappings or lists of objects that have been built, from anything else."""
    if isinstance(value, Mapping):
        return all(part is None or isinstance(part, kind) for part in value.values())
    if isinstance(value, list | tuple):
        return all(isinstance(item, kind) or _is_single(item) for item in value)
    return _is_single(value)


def _is_single(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _faults(found: type[Any], arguments: Mapping[str, Any]) -> Iterator[str]:
    """Compares arguments with a constructor's names and types."""
    allowed = inspect.signature(found).parameters
    annotations = typing.get_type_hints(found.__init__)
    for name, value in arguments.items():
        if name not in allowed:
            yield f"it has no argument {reprlib.repr(name)}; allowed: {', '.join(allowed)}"
        elif name in annotations:
            yield from _wrong_type(name, value, annotations[name])
    needed = (name for name, parameter in allowed.items() if parameter.default is parameter.empty)
    yield from (f"its argument {name} is missing" for name in needed if name not in arguments)


def _wrong_type(name: str, value: Any, annotation: Any) -> Iterator[str]:
    """Compares one value with its annotation; a path is saved as text."""
    choices = typing.get_args(annotation)
    if typing.get_origin(annotation) is Literal and type(value) not in map(type, choices):
        yield f"{name} is {reprlib.repr(value)}; allowed: {', '.join(map(str, choices))}"  # True is no 1
        return
    adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=STRICT)
    takes_path = Path in (annotation, *choices)
    try:
        adapter.validate_python(Path(value) if takes_path and isinstance(value, str) else value)
    except ValidationError as error:
        reasons = dict.fromkeys(fault["msg"] for fault in error.errors())
        yield f"{name} is {reprlib.repr(value)}: {' or '.join(reasons)}"
