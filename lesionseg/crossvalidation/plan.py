"""Which trainings a cross-validation consists of, and where each of them is kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from lesionseg.errors import InputError, raise_all
from lesionseg.evaluation.definitions import METRICS
from lesionseg.help_page import for_example
from lesionseg.ranges import range_faults

BEST, LAST = "best.ckpt", "last.ckpt"


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
        folder: Of its run; its name is that of the training, `fold_0`, `seed_1` or `fold_0_seed_1`.
        fold: Which fold validates; None without folds.
        seed: Of weights, order and augmentation; None for the configured one.
        words: Its overrides for `lesionseg.train`.
    """

    folder: Path
    fold: int | None
    seed: int | None
    words: Sequence[str]

    @property
    def name(self) -> str:
        """What lines and tables call it."""
        return self.folder.name

    @property
    def checkpoint(self) -> Path:
        """Its best checkpoint; the last one where the best is not kept."""
        folder = self.folder / "checkpoints"
        return folder / (BEST if (folder / BEST).is_file() else LAST)


def plan(cfg: DictConfig, run_dir: Path) -> list[Training]:
    """Lists the trainings that `cfg` asks for, fold by fold; none for an ensemble of checkpoints that are there.

    Raises:
        InputError: Lists every setting that is wrong.
    """
    if cfg.checkpoints is not None:
        if cfg.folds is not None or cfg.seeds is not None or cfg.training:
            raise InputError("checkpoints=[...] makes an ensemble without training; take out folds, seeds and the rest")
        return []
    if cfg.folds is None and cfg.seeds is None:
        raise InputError(
            f"neither folds nor seeds is given; give folds=5, seeds=[0,1,2], or both\n{for_example('crossval')}"
        )
    raise_all("The settings have faults:", [*_faults(cfg), *_conflicts(cfg)])
    folds: list[int | None] = [None] if cfg.folds is None else list(range(cfg.folds))
    seeds: list[int | None] = [None] if cfg.seeds is None else list(cfg.seeds)
    return [_training(cfg, run_dir, fold, seed) for fold in folds for seed in seeds]


def _training(cfg: DictConfig, run_dir: Path, fold: int | None, seed: int | None) -> Training:
    words, names = list(cfg.training), []
    if fold is not None:
        words += [f"data.folds={cfg.folds}", f"data.fold={fold}"]
        names.append(f"fold_{fold}")
    if seed is not None:
        words.append(f"seed={seed}")
        names.append(f"seed_{seed}")
    return Training(run_dir / "_".join(names), fold, seed, [*words, "resume=auto"])


def _faults(cfg: DictConfig) -> Iterator[str]:
    """Checks what the cross-validation itself is told."""
    yield from range_faults({"folds": cfg.folds, "seeds": list(cfg.seeds or []), "jobs": cfg.jobs})
    if cfg.seeds is not None:
        yield from _seed_faults(list(cfg.seeds), fewest=2 if cfg.folds is None else 1)
    chosen = [("metric", cfg.metric), *(("columns", name) for name in cfg.columns)]
    yield from (f"{key} is {name}; allowed: {', '.join(METRICS)}" for key, name in chosen if name not in METRICS)


def _seed_faults(seeds: Sequence[int], *, fewest: int) -> Iterator[str]:
    if len(seeds) < fewest or len(set(seeds)) < len(seeds):
        yield f"seeds is {seeds}; allowed: at least {fewest}, each only once"


def _conflicts(cfg: DictConfig) -> Iterator[str]:
    """Finds words for the trainings that say otherwise what the cross-validation says to each of them."""
    keys = [str(word).partition("=")[0].lstrip("+~") for word in cfg.training]
    for key in ("data.fold", "data.folds"):
        if cfg.folds is not None and key in keys:
            yield f"{key} is what folds={cfg.folds} says to each training; take it out"
    if cfg.seeds is not None and "seed" in keys:
        yield "seed is what seeds says to each training; take it out"
