"""`resume=FOLDER` and `-m sweep.resume=FOLDER` on the command line: what Hydra has to be told for them."""

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from lesionseg.errors import InputError
from lesionseg.literal_words import value_of
from lesionseg.quoting import quoted
from lesionseg.writing import write_json

SWEEP = "sweep.resume="
COMMAND = "sweep.json"
"""In a sweep's folder: the words of its command line, and where it was given."""


def with_folder(words: Sequence[str]) -> list[str]:
    """Completes a command line of `lesionseg.train`.

    A resumed run works in its own folder, and what Hydra has written there stays. A resumed sweep repeats its command
    line in its own folder, from where it was given.

    Args:
        words: Words that `literal_words` returns.

    Raises:
        InputError: There is no such run or sweep, or a sweep is given other words than its own.
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


def _above(place: Path) -> str:
    """Names the run that a checkpoint or another place in its folder belongs to."""
    folder = next((folder for folder in place.parents if (folder / "config.yaml").is_file()), None)
    return "" if folder is None else f"; give the run's folder, resume={shlex.quote(str(folder))}"


def note_sweep(folder: Path, words: Sequence[str]) -> None:
    """Writes down how a sweep was started, unless it is there already."""
    if not (folder / COMMAND).exists():
        write_json(folder / COMMAND, {"arguments": list(words), "folder": os.getcwd()})


def _sweep_again(words: Sequence[str], folder: Path) -> list[str]:
    """Gives a sweep its own command line again, and goes to where that was given."""
    others = [word for word in words if not word.startswith(SWEEP) and word not in ("-m", "--multirun")]
    if others:
        raise InputError(f"sweep.resume repeats the sweep's own command line; take out {' '.join(others)}")
    path = folder.absolute()
    try:
        command = json.loads((path / COMMAND).read_text(encoding="utf-8"))
    except OSError:
        raise InputError(f"{SWEEP}{folder}: there is no sweep ({path / COMMAND} is not there)") from None
    except ValueError as error:
        raise InputError(f"{path / COMMAND} is damaged: {error}") from error
    if not Path(command["folder"]).is_dir():
        raise InputError(f"{SWEEP}{folder}: the folder that it was started in, {command['folder']}, is gone")
    os.chdir(command["folder"])
    own = [word for word in command["arguments"] if not word.startswith(("hydra.sweep.dir=", SWEEP))]
    return [*own, f"hydra.sweep.dir={quoted(str(path))}"]
