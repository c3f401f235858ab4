"""Command line of a cross-validation, and the trainings that it consists of."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from omegaconf import DictConfig

from lesionseg.config.command_line import TAKES_A_WORD, noted_command, quoted, value_of
from lesionseg.config.help_page import for_example
from lesionseg.config.old_names import current_words
from lesionseg.config.schema import CrossvalConfig
from lesionseg.config.value_checks import range_faults
from lesionseg.errors import InputError, raise_all

BEST, LAST = "best.ckpt", "last.ckpt"
FILE = "command.json"
"""File in a cross-validation's folder with its command line and working folder."""
OWN = tuple(field.name for field in fields(CrossvalConfig))
"""Keys that are not passed on to the trainings."""
FIXED = ("folds", "seeds", "checkpoints", "training")
"""Keys that cannot change when a cross-validation is resumed."""


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
        folder: Folder of the run, named `fold_0`, `seed_1` or `fold_0_seed_1`.
        fold: Fold that validates; None without folds.
        seed: Seed of the training; None for the configured one.
        words: Overrides for `lesionseg.train`.
    """

    folder: Path
    fold: int | None
    seed: int | None
    words: Sequence[str]

    @property
    def name(self) -> str:
        """Name in messages and tables."""
        return self.folder.name

    @property
    def checkpoint(self) -> Path:
        """Best checkpoint, or the last one if the best is not kept."""
        folder = self.folder / "checkpoints"
        return folder / (BEST if (folder / BEST).is_file() else LAST)


def plan(cfg: DictConfig, run_dir: Path) -> list[Training]:
    """Lists the trainings that `cfg` asks for, fold by fold; none for an ensemble of existing checkpoints.

    Raises:
        InputError: Settings are wrong; lists all of them.
    """
    if cfg.checkpoints is not None:
        if cfg.folds is not None or cfg.seeds is not None or cfg.training:
            raise InputError("checkpoints=[...] makes an ensemble without training; take out folds, seeds and the rest")
        return []
    if cfg.folds is None and cfg.seeds is None:
        raise InputError(
            f"neither folds nor seeds is given; give folds=5, seeds=[0,1,2], or both\n{for_example('crossval')}"
        )
    words = current_words("train", list(cfg.training))
    raise_all("The settings have faults:", [*_faults(cfg), *_conflicts(cfg, words)])
    folds: list[int | None] = [None] if cfg.folds is None else list(range(cfg.folds))
    seeds: list[int | None] = [None] if cfg.seeds is None else list(cfg.seeds)
    return [_training(words, cfg.folds, run_dir, fold, seed) for fold in folds for seed in seeds]


def with_training(words: Sequence[str]) -> list[str]:
    """Moves the words that are meant for the trainings into one override, `training=[...]`.

    With `resume=FOLDER`, the words are those that the cross-validation in that folder was started with.

    Args:
        words: Command line, as `literal_words` returns it.

    Raises:
        InputError: A sweep is asked for, or the folder holds no cross-validation that these words can resume.
    """
    if any(word in ("-m", "--multirun") for word in words):
        raise InputError("lesionseg.crossval trains several times as it is; run it once for each setting, without -m")
    pairs = list(zip(["", *words], words, strict=False))
    own = [word for before, word in pairs if not _is_trainings(word, before)]
    trainings = [word for before, word in pairs if _is_trainings(word, before)]
    resumed = [value_of(word) for word in own if word.startswith("resume=")]
    if resumed and resumed[-1] not in ("auto", None, ""):
        return _recorded(own, trainings, Path(resumed[-1]))
    return [*own, f"training=[{','.join(map(quoted, trainings))}]"] if trainings else own


def _training(words: Sequence[str], folds: int | None, run_dir: Path, fold: int | None, seed: int | None) -> Training:
    own, names = [], []
    if fold is not None:
        own += [f"data.folds={folds}", f"data.fold={fold}"]
        names.append(f"fold_{fold}")
    if seed is not None:
        own.append(f"seed={seed}")
        names.append(f"seed_{seed}")
    return Training(run_dir / "_".join(names), fold, seed, [*words, *own, "resume=auto"])


def _faults(cfg: DictConfig) -> Iterator[str]:
    yield from range_faults({"folds": cfg.folds, "seeds": list(cfg.seeds or []), "jobs": cfg.jobs})
    if cfg.seeds is not None:
        seeds, fewest = list(cfg.seeds), 2 if cfg.folds is None else 1
        if len(seeds) < fewest or len(set(seeds)) < len(seeds):
            yield f"seeds is {seeds}; allowed: at least {fewest}, each only once"


def _conflicts(cfg: DictConfig, words: Sequence[str]) -> Iterator[str]:
    """Finds words for the trainings that the cross-validation sets itself."""
    keys = list(map(_key, words))
    for key in ("data.fold", "data.folds"):
        if cfg.folds is not None and key in keys:
            yield f"{key} is what folds={cfg.folds} says to each training; take it out"
    if cfg.seeds is not None and "seed" in keys:
        yield "seed is what seeds says to each training; take it out"


def _is_trainings(word: str, before: str) -> bool:
    """Tells overrides of `lesionseg.train` from the cross-validation's own, from Hydra's and from options."""
    if before in TAKES_A_WORD or word.startswith("-") or not ("=" in word or word.startswith("~")):
        return False
    return _key(word) not in OWN and not _key(word).startswith(("hydra.", "hydra/"))


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def _recorded(own: Sequence[str], trainings: Sequence[str], folder: Path) -> list[str]:
    """Returns the recorded command line, and changes to the folder that it was given in."""
    path = Path(os.path.abspath(folder))  # without `..`, and a symbolic link as it is
    others = [*trainings, *(word for word in own if _key(word) in FIXED)]
    raise_all(f"resume={folder} repeats the cross-validation's own command line; take out:", others)
    words = noted_command(path / FILE, resume=f"resume={folder}", noun="cross-validation")
    kept = [word for word in words if _key(word) not in ("hydra.run.dir", "resume", *map(_key, own))]
    now = [word for word in own if _key(word) != "resume"]
    here = quoted(str(path))
    return [*kept, *now, f"resume={here}", f"hydra.run.dir={here}", "hydra.output_subdir=null"]
