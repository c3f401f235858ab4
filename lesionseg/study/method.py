"""Runs grouped into methods, with scores and labels."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from lesionseg.config.build import flat
from lesionseg.errors import raise_all
from lesionseg.study.scored_run import Array, Run

MADE_OF = (
    *("data", "augmentation", "model", "segmenter", "postprocessing", "loss", "optimizer", "scheduler"),
    *("image_size", "batch_size", "min_train_batches", "monitor", "monitor_mode"),
    *("trainer.max_epochs", "trainer.max_steps", "trainer.max_time"),
    *("trainer.limit_train_batches", "trainer.limit_val_batches", "trainer.check_val_every_n_epoch"),
    *("trainer.precision", "trainer.gradient_clip_val", "trainer.accumulate_grad_batches"),
    *("callbacks.ema", "callbacks.progressive_size", "callbacks.early_stopping"),
)
"""Keys of a configuration that decide what is trained; the others hold paths, figures and loggers."""
NOT_MADE_OF = ("data.fold", "data.split_seed", "data.cache", "data.cache_dir")
"""Keys among `MADE_OF` that tell repetitions of one method apart, or change nothing."""
REPEATS = ("seed", "data.split_seed", "data.fold")
"""Keys in which repetitions of one method differ."""
DECIDED_BY = ("threshold", "decision")
"""Facts of an evaluation that make two methods of one checkpoint, for example averaging over mirrored images."""


@dataclass(frozen=True, eq=False)
class Method:
    """Runs of one method.

    Attributes:
        runs: Runs in the order given.
        folds: Number of runs on disjoint images that make up a repetition; 1 without cross-validation.
        targets: Fingerprint of each image's ground truth by id, sorted, over all folds.
        scores: Scores averaged over repetitions, (metrics, images).
        repetition_means: Mean over all images of each repetition, (repetitions, metrics).
    """

    runs: Sequence[Run]
    folds: int
    targets: Mapping[str, str]
    scores: Array
    repetition_means: Array

    @property
    def repetitions(self) -> int:
        """Number of trainings on the same split, each with its own seed."""
        return len(self.repetition_means)


def methods_of(runs: Sequence[Run]) -> list[Method]:
    """Groups runs into methods, in the order of each one's first run.

    Runs whose configurations differ in seed, fold or seed of the split alone are one method. Runs without a
    configuration are each their own, and so are runs that agree even in those, because they are no repetitions.

    Raises:
        InputError: The images of a method's runs overlap in part; names every such method.
    """
    methods, faults = [], []
    for group in _groups(runs):
        repetitions = _repetitions(group)
        if repetitions is None:
            folders = ", ".join(str(run.folder) for run in group)
            faults.append(f"{folders}: seeds score the same images, folds score others; these overlap in part")
        else:
            methods.append(_method(group, repetitions))
    raise_all("Runs of one method (same configuration but for the seed and the fold) do not fit together:", faults)
    return methods


def labels_of(methods: Sequence[Method]) -> list[str]:
    """Labels each method uniquely with the name of its first run.

    Methods that share a name are told apart by the settings in which they differ, for example
    `unet (model.base_channels=16, optimizer.lr=0.001)`, else by the name of their folder, else by its path.
    """
    groups: dict[str, list[Method]] = {}
    for method in methods:
        groups.setdefault(method.runs[0].name, []).append(method)
    labels = {name: iter(_labels(name, group)) for name, group in groups.items()}
    return [next(labels[method.runs[0].name]) for method in methods]


def _groups(runs: Sequence[Run]) -> list[list[Run]]:
    groups: dict[str, list[Run]] = {}
    for number, run in enumerate(runs):
        key = f"run {number}" if run.config is None else json.dumps(_made_of(run), sort_keys=True, default=str)
        groups.setdefault(key, []).append(run)
    split = [[group] if _all_differ(group) else [[run] for run in group] for group in groups.values()]
    return [group for part in split for group in part]


def _made_of(run: Run) -> dict[str, Any]:
    """Returns by dotted name the values that define a run's method; empty if they are unknown."""
    values = flat(run.config or {})
    kept = {name: value for name, value in values.items() if _within(name, MADE_OF) and not _within(name, NOT_MADE_OF)}
    return kept | {fact: run.facts[fact] for fact in DECIDED_BY if fact in run.facts}


def _within(name: str, keys: Iterable[str]) -> bool:
    return any(name == key or name.startswith(f"{key}.") for key in keys)


def _all_differ(group: Sequence[Run]) -> bool:
    return len({str(_repeat(run, REPEATS)) for run in group}) == len(group)


def _repeat(run: Run, names: Sequence[str]) -> list[Any]:
    values = flat(run.config or {})
    return [values.get(name) for name in names]


def _repetitions(runs: Sequence[Run]) -> list[list[Run]] | None:
    """Groups a method's runs into repetitions that each cover all images once; returns None if that is impossible."""
    if _disjoint(runs):
        return [list(runs)]
    by_seed: dict[str, list[Run]] = {}
    for run in runs:
        by_seed.setdefault(str(_repeat(run, REPEATS[:2])), []).append(run)
    repetitions = []
    for group in by_seed.values():
        # Models of several folds that were all scored on one test set are repetitions, not folds.
        repetitions += [group] if _disjoint(group) else [[run] for run in group]
    covered = {frozenset(_targets(repetition).items()) for repetition in repetitions}
    return repetitions if len(covered) == 1 else None


def _disjoint(runs: Sequence[Run]) -> bool:
    return all(first.targets.keys().isdisjoint(second.targets) for first, second in combinations(runs, 2))


def _targets(runs: Sequence[Run]) -> dict[str, str]:
    return dict(sorted(item for run in runs for item in run.targets.items()))


def _method(runs: Sequence[Run], repetitions: Sequence[Sequence[Run]]) -> Method:
    scores = np.stack([_scores(repetition) for repetition in repetitions])  # (repetitions, metrics, images)
    folds = max(map(len, repetitions))
    return Method(runs, folds, _targets(repetitions[0]), scores.mean(axis=0), scores.mean(axis=2))


def _scores(folds: Sequence[Run]) -> Array:
    """Joins the folds' scores: (metrics, images), sorted by id."""
    ids = [id_ for run in folds for id_ in run.targets]
    return np.concatenate([run.scores for run in folds], axis=1)[:, np.argsort(ids)]


def _labels(name: str, methods: Sequence[Method]) -> list[str]:
    """Labels the methods of one name."""
    if len(methods) == 1:
        return [name]
    folders = [method.runs[0].folder.absolute() for method in methods]
    additions = _differing_values([_made_of(method.runs[0]) for method in methods])
    for alternative in ([folder.name for folder in folders], [str(folder) for folder in folders]):
        if len(set(additions)) < len(methods):
            additions = alternative
    return [f"{name} ({addition})" for addition in additions]


def _differing_values(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Describes each configuration by the values that differ, of different classes by the class alone."""
    names = list(dict.fromkeys(name for config in configs for name in config))
    differing = [name for name in names if len({str(config.get(name)) for config in configs}) > 1]
    classes = tuple(name.removesuffix("_target_") for name in differing if name.endswith("._target_"))
    shown = [name for name in differing if name.endswith("._target_") or not name.startswith(classes)]
    return [", ".join(_setting(name, config[name]) for name in shown if name in config) for config in configs]


def _setting(name: str, value: Any) -> str:
    if name.endswith("_target_"):
        return f"{name.removesuffix('._target_')}={str(value).rpartition('.')[2]}"
    return f"{name}={value}"
