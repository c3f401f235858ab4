"""The words of a command line: quoted for Hydra, and completed for a run or sweep that is resumed."""

import json
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from lesionseg.errors import InputError
from lesionseg.system.files import write_json

TAKES_A_WORD = ("--cfg", "-c", "--package", "-p", "--config-name", "-cn", "--config-path", "-cp", "--config-dir", "-cd")
"""Options of Hydra whose value is the next word."""
MULTIRUN = ("--multirun", "-m")
WORD = re.compile(r"(?P<place>\+{0,2}(?P<key>[^=]+))=(?P<value>.*)", re.DOTALL)
PATH = re.compile(
    r"checkpoint|input|output|probabilities|overlays|predictions|truth|images|photographs|fix|run_dir|resume"
    r"|sweep\.resume|hydra\.(run|sweep)\.dir|evaluation\.metadata|model\.encoder_weights"
    r"|data\.([\w.-]+\.)?(root|cache_dir|groups|split|images|masks)|(callbacks|logger)\.[\w.-]+\.(folder|path|save_dir)"
)
PATHS = re.compile(r"checkpoints|runs")
"""Keys of lists of paths."""
TEXT = re.compile(
    r"name|licence|intended_use|(prediction_|truth_|mask_)?(suffix|prefix)"
    r"|data\.([\w.-]+\.)?(mask_\w+|group_(id_)?column)"
)
NEVER_SWEPT = ("hydra.", "sweep.", "resume")
INTERPOLATION = re.compile(r"\$\{[^{}]+\}")
SYNTAX = re.compile(r"^(['\"]).*\1$|\\[\\()\[\]{}:=, \t]|" + INTERPOLATION.pattern, re.DOTALL)
"""Text that keeps its meaning in Hydra: quotes around the value, a backslash before a special letter, `${key}`."""
CALL_OR_LIST = re.compile(r"[(\[{'\"]")
"""Text by which a sweep's value keeps its meaning in Hydra, such as `choice(a,b)` and `'a,b',c`."""
SWEEP = "sweep.resume="
COMMAND = "sweep.json"
"""File in a sweep's folder with the words of its command line and the folder that it was given in."""


def literal_words(words: Sequence[str]) -> list[str]:
    """Quotes the paths and free texts of a command line, so that Hydra takes the rest of each word literally.

    Brackets, commas, equals signs and other special letters of Hydra are then letters of the path, a number is a text,
    and a leading `~` is the home folder. Unless a file or folder of that very name exists, Hydra's meaning is kept if
    the value is quoted for Hydra, has one of its escapes or an interpolation `${key}`, or if the command line is a
    sweep (`-m`), whose values are separated by commas. `null` is always null; `./null` is a file.

    Args:
        words: Command line without the program's name.
    """
    is_sweep = any(word in (*MULTIRUN, "hydra.mode=MULTIRUN") for word in words)
    return [_literal(word, is_sweep=is_sweep) for word in words]


def value_of(word: str) -> Any:
    """Reads the value of a word `key=value` as Hydra does; a sweep, and what Hydra refuses, stays a text."""
    override = _parsed(word)
    if override is None or override.is_sweep_override():
        return word.partition("=")[2]
    return override.value()


def quoted(word: str) -> str:
    """Quotes a word so that Hydra and OmegaConf take every character of it literally.

    In Hydra's grammar a backslash is literal except before a quote; OmegaConf would interpolate `${`.
    """
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", word.replace("${", "\\${"))
    return "'" + re.sub(r"(\\+)$", r"\1\1", escaped) + "'"


def override(key: str, value: str) -> str:
    """Returns `key=value` for copying into a shell, which hands on this very value."""
    return f"{key}={shlex.quote(value)}"


def _parsed(word: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        return None


def _literal(word: str, *, is_sweep: bool) -> str:
    parts = WORD.fullmatch(word)
    if parts is None or _is_empty(parts["value"]):
        return word
    place, key, value = parts["place"], parts["key"], parts["value"]
    is_path = PATH.fullmatch(key) is not None
    if PATHS.fullmatch(key):
        return f"{place}={_list(word, value)}"
    if not (is_path or TEXT.fullmatch(key)):
        return word
    can_sweep = is_sweep and not key.startswith(NEVER_SWEPT)
    return f"{place}={_value(word, value, is_path=is_path, is_sweep=can_sweep)}"


def _is_empty(value: str) -> bool:
    return value in ("", "???") or value.lower() == "null"


def _value(word: str, value: str, *, is_path: bool, is_sweep: bool) -> str:
    """Returns a value for Hydra, which is the given one where Hydra reads just that."""
    if not (is_path and os.path.lexists(value)):
        if is_sweep:
            return _sweep(word, value, is_path=is_path)
        if SYNTAX.search(value):
            return value if _parsed(word) is not None else _quoted_around_interpolations(value)
    path = _at_home(value) if is_path else value
    return value if _is_literal(word, path) else quoted(path)


def _sweep(word: str, value: str, *, is_path: bool) -> str:
    """Returns the values of a sweep, each quoted where it has to be; a call or list of Hydra's is kept."""
    if CALL_OR_LIST.search(value) and _parsed(word) is not None:
        return value
    key = word[: -len(value)]
    return ",".join(_value(key + one, one, is_path=is_path, is_sweep=False) for one in _parted(value))


def _list(word: str, value: str) -> str:
    """Returns a list of paths, which is the given one where Hydra reads it."""
    if value.startswith("[") and _parsed(word) is not None:
        return value
    inner = value[1:-1] if value.startswith("[") and value.endswith("]") and not os.path.lexists(value) else value
    return f"[{','.join(quoted(_at_home(path)) for path in _parted(inner))}]"


def _parted(value: str) -> list[str]:
    """Splits a value at its commas, except for those in the name of an existing file or folder."""
    pieces, found = value.split(","), []
    while pieces:
        ends = range(len(pieces), 0, -1)
        end = next((end for end in ends if os.path.lexists(",".join(pieces[:end]).strip())), 1)
        found.append(",".join(pieces[:end]).strip())
        pieces = pieces[end:]
    return found


def _at_home(path: str) -> str:
    """Expands `~` to the home folder, unless a file of that name exists."""
    return path if os.path.lexists(path) else os.path.expanduser(path)


def _quoted_around_interpolations(value: str) -> str:
    """Quotes a value, except for the interpolations in it."""
    between = [quoted(piece)[1:-1] for piece in INTERPOLATION.split(value)]
    inner = [*INTERPOLATION.findall(value), ""]
    return "'" + "".join(text + key for text, key in zip(between, inner, strict=True)) + "'"


def _is_literal(word: str, value: str) -> bool:
    """Tells whether Hydra and OmegaConf read the word as this very text, so that it needs no quotes."""
    override = _parsed(word)
    if override is None or override.is_sweep_override() or "${" in value:
        return False
    read = override.value()
    return isinstance(read, str) and read == value


def with_folder(words: Sequence[str]) -> list[str]:
    """Completes a command line of `lesionseg.train` that resumes.

    A resumed run works in its own folder and keeps what Hydra has written there. A resumed sweep repeats its command
    line in its own folder, from where it was given.

    Args:
        words: Words that `literal_words` has returned.

    Raises:
        InputError: There is no such run or sweep, or the command line changes a sweep.
    """
    for word in words:
        if word.startswith(SWEEP):
            return _sweep_again(words, Path(value_of(word)))
        if word.startswith("resume=") and (value := value_of(word)) not in ("auto", None, ""):
            if not (Path(value) / "config.yaml").is_file():
                missing = f"there is no run in {Path(value).absolute()} (no config.yaml)"
                raise InputError(f"resume={value}: {missing}{_above(Path(value))}")
            return [*words, f"hydra.run.dir={quoted(value)}", "hydra.output_subdir=null"]
    return list(words)


def _above(path: Path) -> str:
    """Names the run that a checkpoint or another file in its folder belongs to."""
    folder = next((folder for folder in path.parents if (folder / "config.yaml").is_file()), None)
    return "" if folder is None else f"; give the run's folder, {override('resume', str(folder))}"


def note_command(path: Path, words: Sequence[str]) -> None:
    """Records a command line and its working folder in a file, unless an earlier one is recorded."""
    if not path.exists():
        write_json(path, {"arguments": list(words), "folder": os.getcwd()})


def noted_command(path: Path, *, resume: str, noun: str) -> list[str]:
    """Reads the command line of a sweep or a cross-validation, and changes to the folder that it was given in.

    Args:
        path: File that `note_command` has written.
        resume: Word that asks for it, for messages.
        noun: What was started, for messages.

    Raises:
        InputError: The file is missing or damaged, or the folder is gone.
    """
    try:
        command = json.loads(path.read_text(encoding="utf-8"))
        words, folder = [str(word) for word in command["arguments"]], Path(command["folder"])
    except OSError:
        raise InputError(f"{resume}: there is no {noun} ({path} is not there)") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged: {error}") from error
    if not folder.is_dir():
        raise InputError(f"{resume}: the folder that it was started in, {folder}, is gone")
    os.chdir(folder)
    return words


def _sweep_again(words: Sequence[str], folder: Path) -> list[str]:
    """Returns a sweep's own command line."""
    others = [word for word in words if not word.startswith(SWEEP) and word not in MULTIRUN]
    if others:
        raise InputError(f"sweep.resume repeats the sweep's own command line; take out {' '.join(others)}")
    path = folder.absolute()
    own = noted_command(path / COMMAND, resume=f"{SWEEP}{folder}", noun="sweep")
    kept = [word for word in own if not word.startswith(("hydra.sweep.dir=", SWEEP))]
    return [*kept, f"hydra.sweep.dir={quoted(str(path))}"]
