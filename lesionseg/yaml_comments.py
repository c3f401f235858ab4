"""The comments of a YAML file, which explain its keys, by key."""

import re
from collections.abc import Iterator, Sequence

import yaml

COMMENT = re.compile(r"\s*:?\s*#\s*(?P<text>.*)")
ALONE = re.compile(r"(?P<indent>\s+)#\s*(?P<text>.*)")
CHOICE = re.compile(r"(override\s+)?/?(?P<group>[\w/]+)(@.*)?")
"""Word of a Hydra defaults list, such as `override /model`."""


def comments_of(text: str, *, of_choices: bool = False) -> dict[str, str]:
    """Returns the comment behind each key, and in the same column on the lines below it, by dotted path.

    Args:
        text: Of a YAML file whose root is a mapping, or which is empty.
        of_choices: Whether comments in Hydra's defaults list count, for the key that has their group's name.
    """
    root, lines = yaml.compose(text, Loader=yaml.SafeLoader), text.splitlines()
    if not isinstance(root, yaml.MappingNode):
        return {}
    places = [*(_choices(root) if of_choices else ()), *_places(root)]
    found = {path: _comment(lines, *place) for path, place in places}
    return {path: comment for path, comment in found.items() if comment}


def key_lines(text: str) -> dict[str, int]:
    """Returns the line, counted from 0, that each key of a YAML text stands in, by dotted path."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return {path: key.start_mark.line for path, key, _ in _keys(root, "")} if root is not None else {}


def _keys(node: yaml.Node, prefix: str) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
        path = f"{prefix}{key.value}"
        yield path, key, value
        yield from _keys(value, f"{path}.")


def _places(root: yaml.MappingNode) -> Iterator[tuple[str, tuple[int, int]]]:
    """Finds line and column behind which each key's comment may stand."""
    for path, key, value in _keys(root, ""):
        is_below = isinstance(value, yaml.CollectionNode) and not value.flow_style
        mark = key.end_mark if is_below else value.end_mark
        yield path, (mark.line, mark.column)


def _choices(root: yaml.MappingNode) -> Iterator[tuple[str, tuple[int, int]]]:
    """Finds the same of each group in Hydra's defaults list."""
    lists = [value for path, _, value in _keys(root, "") if path == "defaults"]
    for entry in (entry for found in lists for entry in found.value):
        for key, value in entry.value if isinstance(entry, yaml.MappingNode) else []:
            if choice := CHOICE.fullmatch(key.value):
                yield choice["group"].replace("/", "."), (value.end_mark.line, value.end_mark.column)


def _comment(lines: Sequence[str], line: int, column: int) -> str:
    first = COMMENT.fullmatch(lines[line], column) if line < len(lines) else None
    if first is None:
        return ""
    texts, indent = [first["text"]], lines[line].index("#", column)
    for further in lines[line + 1 :]:
        alone = ALONE.fullmatch(further)
        if alone is None or len(alone["indent"]) != indent:
            break
        texts.append(alone["text"])
    return " ".join(texts)
