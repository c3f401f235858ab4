"""The command line of a cross-validation: which words are its own, which the trainings', and repeating it."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from lesionseg.config.command_line import quoted, value_of
from lesionseg.errors import InputError, raise_all
from lesionseg.system.files import write_json

FILE = "command.json"
"""In a cross-validation's folder: the words of its command line, and where it was given."""
OWN = (
    "folds",
    "seeds",
    "checkpoints",
    "training",
    "jobs",
    "metric",
    "columns",
    "masks",
    "ensemble",
    "run_dir",
    "resume",
)
FIXED = ("folds", "seeds", "checkpoints", "training")
"""Of these what an interrupted one cannot be given otherwise."""
TAKES_A_WORD = ("--cfg", "-c", "--package", "-p", "--config-name", "-cn", "--config-path", "-cp", "--config-dir", "-cd")
"""Hydra's options whose value is a word of its own."""


def with_training(words: Sequence[str]) -> list[str]:
    """Puts the words that are the trainings' into one override, `training=[...]`; keeps the rest.

    With `resume=FOLDER` the words are those that the cross-validation in that folder was started with.

    Args:
        words: Of the command line, as `literal_words` returns them.

    Raises:
        InputError: A sweep is asked for; or there is no cross-validation to go on with, or it is given other words.
    """
    if any(word in ("-m", "--multirun") for word in words):
        raise InputError("lesionseg.crossval trains several times as it is; run it once for each setting, without -m")
    own: list[str] = []
    trainings: list[str] = []
    before = ""
    for word in words:
        (trainings if _is_trainings(word, before) else own).append(word)
        before = word
    resumed = [value_of(word) for word in own if word.startswith("resume=")]
    if resumed and resumed[-1] not in ("auto", None, ""):
        return _again(own, trainings, Path(resumed[-1]))
    return [*own, f"training=[{','.join(map(quoted, trainings))}]"] if trainings else own


def note_command(folder: Path, words: Sequence[str]) -> None:
    """Writes down how a cross-validation was started, so that `resume=FOLDER` can repeat it; the first stays."""
    if not (folder / FILE).exists():
        write_json(folder / FILE, {"arguments": list(words), "folder": os.getcwd()})


def _is_trainings(word: str, before: str) -> bool:
    """Tells overrides of `lesionseg.train` from own ones, from Hydra's and from options."""
    if before in TAKES_A_WORD or word.startswith("-") or not ("=" in word or word.startswith("~")):
        return False
    key = _key(word)
    return key not in OWN and not key.startswith(("hydra.", "hydra/"))


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def _again(own: Sequence[str], trainings: Sequence[str], folder: Path) -> list[str]:
    """Gives a cross-validation its own command line again, and goes to where that was given."""
    path = Path(os.path.abspath(folder))  # without `..`, and a symbolic link as it is
    others = [*trainings, *(word for word in own if _key(word) in FIXED)]
    raise_all(f"resume={folder} repeats the cross-validation's own command line; take out:", others)
    try:
        command = json.loads((path / FILE).read_text(encoding="utf-8"))
        words, place = [str(word) for word in command["arguments"]], Path(command["folder"])
    except OSError:
        raise InputError(f"resume={folder}: there is no cross-validation ({path / FILE} is not there)") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path / FILE} is damaged: {error}") from error
    if not place.is_dir():
        raise InputError(f"resume={folder}: the folder that it was started in, {place}, is gone")
    os.chdir(place)
    kept = [word for word in words if _key(word) not in ("hydra.run.dir", "resume", *map(_key, own))]
    now = [word for word in own if _key(word) != "resume"]
    here = quoted(str(path))
    return [*kept, *now, f"resume={here}", f"hydra.run.dir={here}", "hydra.output_subdir=null"]
