"""The page of `--help`: the groups of a verb, its files and its keys with the comments of their YAML."""

import re
import shutil
import string
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict

from lesionseg.config.schema import CONF

COLUMN = 44
"""Characters before a comment, unless the key and its value take more."""
WIDTH = 120
"""Characters of a line where there is no terminal."""
NARROWEST = 40
COMMENT = re.compile(r"\s*:?\s*#\s*(?P<text>.*)")
ALONE = re.compile(r"(?P<indent>\s+)#\s*(?P<text>.*)")
CHOICE = re.compile(r"(override\s+)?/?(?P<group>[\w/]+)(@.*)?")
"""Entry of a Hydra defaults list, such as `override /model`."""


def help_page(verb: str, overrides: Sequence[str]) -> str:
    """Composes a verb's configuration with overrides and fills it into the template of `conf/hydra/help/<verb>.yaml`.

    Raises:
        hydra.errors.HydraException: The overrides do not compose.
    """
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        cfg = loader.load_configuration(verb, list(overrides), run_mode=RunMode.RUN)
        comments = _comments(verb, loader.compute_defaults_list(verb, list(overrides), RunMode.RUN).defaults)
        groups = "".join(f"{group}: {', '.join(options)}\n" for group, options in _groups(loader, "").items())
    template = string.Template(cfg.hydra.help.template)
    with open_dict(cfg):
        del cfg.hydra
    config = with_comments(OmegaConf.to_yaml(cfg), comments)
    return template.substitute(APP_CONFIG_GROUPS=groups, CONFIG=config)


def root_comments(verb: str) -> dict[str, str]:
    """Returns the comments of a verb's own file, by key."""
    return comments_of((CONF / f"{verb}.yaml").read_text(encoding="utf-8"), of_choices=True)


def examples(verb: str) -> list[str]:
    """Returns the command lines that a verb's help page shows."""
    page = yaml.safe_load((CONF / "hydra" / "help" / f"{verb}.yaml").read_text(encoding="utf-8"))
    return [line.strip() for line in page["header"].splitlines() if line.strip().startswith("python -m")]


def for_example(verb: str) -> str:
    """Returns lines for the end of a message: examples of a verb, and how to get its help."""
    lines = [f"  {line}" for line in examples(verb)]
    return "\n".join(["For example:", *lines, f"All keys: python -m lesionseg.{verb} --help"])


def with_comments(text: str, comments: Mapping[str, str]) -> str:
    """Appends comments to the keys of a YAML text; long ones are wrapped."""
    lines = text.splitlines()
    for path, line in key_lines(text).items():
        if path in comments:
            lines[line] = _with_comment(lines[line], comments[path])
    return "\n".join([*lines, ""])


def _with_comment(line: str, comment: str) -> str:
    column = max(COLUMN, len(line) + 2)
    room = max(shutil.get_terminal_size((WIDTH, 0)).columns - column - 2, NARROWEST)
    first, *others = textwrap.wrap(comment, room)
    return "\n".join([f"{line:<{column}}# {first}", *(f"{'':<{COLUMN}}# {other}" for other in others)])


def _comments(verb: str, files: Sequence[Any]) -> dict[str, str]:
    """Collects the comments of the chosen files; a later file replaces the comment of a key."""
    comments: dict[str, str] = {}
    for file in files:
        path = CONF / f"{file.config_path}.yaml"
        if path.is_file() and not file.config_path.startswith("hydra/"):  # a schema is no file
            place = f"{file.package}." if file.package else ""
            found = comments_of(path.read_text(encoding="utf-8"), of_choices=file.config_path == verb)
            comments |= {f"{place}{key}": comment for key, comment in found.items()}
    return comments


def _groups(loader: ConfigLoader, parent: str) -> dict[str, list[str]]:
    """Lists the files of each group, nested groups included."""
    groups: dict[str, list[str]] = {}
    for name in loader.list_groups(parent):
        group = f"{parent}/{name}" if parent else name
        if group != "hydra":
            options = loader.get_group_options(group, ObjectType.CONFIG)
            groups |= ({group: options} if options else {}) | _groups(loader, group)
    return groups


def comments_of(text: str, *, of_choices: bool = False) -> dict[str, str]:
    """Returns the comment of each key, which stands behind it and in the same column below, by dotted path.

    Args:
        text: A YAML file.
        of_choices: Whether comments in Hydra's defaults list count as those of the groups.
    """
    root, lines = yaml.compose(text, Loader=yaml.SafeLoader), text.splitlines()
    if not isinstance(root, yaml.MappingNode):
        return {}
    places = [*(_choices(root) if of_choices else ()), *_places(root)]
    found = {path: _comment(lines, *place) for path, place in places}
    return {path: comment for path, comment in found.items() if comment}


def key_lines(text: str) -> dict[str, int]:
    """Returns the line of each key of a YAML text, counted from 0, by dotted path."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return {path: key.start_mark.line for path, key, _ in _keys(root, "")} if root is not None else {}


def _keys(node: yaml.Node, prefix: str) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
        path = f"{prefix}{key.value}"
        yield path, key, value
        yield from _keys(value, f"{path}.")


def _places(root: yaml.MappingNode) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yields each key with the line and column after which its comment may stand."""
    for path, key, value in _keys(root, ""):
        is_below = isinstance(value, yaml.CollectionNode) and not value.flow_style
        mark = key.end_mark if is_below else value.end_mark
        yield path, (mark.line, mark.column)


def _choices(root: yaml.MappingNode) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yields the same for each group in Hydra's defaults list."""
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
