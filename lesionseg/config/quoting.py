"""Quoting what a command line hands to Hydra."""

import re
import shlex


def quoted(word: str) -> str:
    """Quotes a word so that Hydra and OmegaConf take every character of it literally.

    In Hydra's grammar a backslash is literal except before a quote; OmegaConf would interpolate `${`.
    """
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", word.replace("${", "\\${"))
    return "'" + re.sub(r"(\\+)$", r"\1\1", escaped) + "'"


def override(key: str, value: str) -> str:
    """Writes `key=value` for copying, so that the shell hands on this very value, which is taken as it stands."""
    return f"{key}={shlex.quote(value)}"
