"""A benchmark from its configuration to its report."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from lesionseg.benchmarking.inference import WAYS, inference_works
from lesionseg.benchmarking.reading import folder_works, loader_works
from lesionseg.benchmarking.report import Report, SubjectFacts, limits, print_report, write_report
from lesionseg.benchmarking.subject import (
    Subject,
    build_subject,
    flops_of,
    parameter_count,
    subject_settings,
    try_out,
)
from lesionseg.benchmarking.timing import STAGES, NotMeasurableError, Row, Speed, Work, measure
from lesionseg.benchmarking.training import peak_memory, training_settings, training_works
from lesionseg.check import check
from lesionseg.checkpoint.engine import PRECISIONS
from lesionseg.checkpoint.reading import read
from lesionseg.config.schema import CONF
from lesionseg.errors import raise_all
from lesionseg.system.device import describe_device, limit_threads
from lesionseg.system.environment import environment
from lesionseg.training.optimizer import random_batch

log = logging.getLogger(__name__)


def run_benchmark(cfg: DictConfig) -> dict[str, float]:
    """Measures what `cfg` asks for, see `conf/benchmark.yaml`; prints tables and writes them, data and a chart.

    Returns:
        Median images a second by `<stage>/<way>/<subject>`, of what could be measured.

    Raises:
        InputError: A setting, the checkpoint, the data or a peer is wrong.
    """
    settled = settle(cfg)
    limit_threads()
    before = limits()
    torch.manual_seed(settled.seed)
    subjects = [build_subject(settings) for settings in subject_settings(settled)]
    for peer in subjects[1:]:
        try_out(peer, image_size=settled.image_size, trains="training" in settled.measure)
    facts = [_facts(settled, subject) for subject in subjects]
    speeds = [speed for stage in STAGES if stage in settled.measure for speed in _measure(stage, settled, subjects)]
    report = Report(
        device=describe_device(subjects[0].device, subjects[0].settings.precision),
        environment=environment(),
        limits={"before": before, "after": limits()},
        config=OmegaConf.to_container(settled, resolve=True),  # type: ignore[arg-type]
        subjects=facts,
        speeds=speeds,
    )
    write_report(report, Path(settled.run_dir))
    print_report(report, Path(settled.run_dir))
    return {_key(speed.row): speed.spread.median for speed in speeds if speed.spread is not None}


def settle(cfg: DictConfig) -> DictConfig:
    """Checks a configuration and returns it with the checkpoint's name and image size, or training's image size.

    Raises:
        InputError: The checkpoint cannot be opened, or settings are wrong; lists every fault of a kind.
    """
    settled = cfg.copy()
    training: Any = OmegaConf.load(CONF / "train.yaml")
    if cfg.checkpoint is not None:
        training = read(Path(cfg.checkpoint))["lesionseg"]["config"]
        settled.name = training["name"]
    if settled.image_size is None:
        settled.image_size = training["image_size"]
    raise_all("The configuration has faults:", list(_faults(settled)))
    plain: Any = OmegaConf.to_container(settled, resolve=True)
    # Under another name, because check() also asks of a `model` what only a training has.
    plain["network"] = plain.pop("model")
    check(OmegaConf.create(plain))
    return settled


def _faults(cfg: DictConfig) -> Iterator[str]:
    choices = {
        "measure": (cfg.measure, STAGES),
        "runtimes": (cfg.runtimes, WAYS),
        "precision": ([cfg.precision], ("auto", *PRECISIONS)),
    }
    for name, (values, allowed) in choices.items():
        verb = "is" if name == "precision" else "has"
        yield from (f"{name} {verb} {one}; allowed: {', '.join(allowed)}" for one in values if one not in allowed)
    if cfg.name in cfg.peers:
        yield f"peers.{cfg.name} has the name of the network itself; give it another"


def _facts(cfg: DictConfig, subject: Subject) -> SubjectFacts:
    """Counts weights and operations and, if training is measured, finds the peak memory."""
    image, _ = random_batch(1, cfg.image_size, subject.device)
    flops = flops_of(subject.segmenter, subject.laid_out(image))
    facts = SubjectFacts(subject.name, subject.settings.words, parameter_count(subject.segmenter), flops)
    if "training" not in cfg.measure:
        return facts
    log.info("measuring the peak memory of training %s", subject.name)
    try:
        return replace(facts, peak_memory=peak_memory(training_settings(cfg, subject)))
    except NotMeasurableError as error:
        return replace(facts, peak_memory_missing=str(error))


def _measure(stage: str, cfg: DictConfig, subjects: Sequence[Subject]) -> list[Speed]:
    log.info("measuring: %s", stage)
    with _works(stage, cfg, subjects) as works:
        return measure(works, rounds=cfg.rounds, seconds=cfg.seconds)


def _works(stage: str, cfg: DictConfig, subjects: Sequence[Subject]) -> AbstractContextManager[list[Work | Speed]]:
    """Prepares a stage's work; a folder is predicted with the first network only, because peers have no checkpoint."""
    if stage == "loader":
        return loader_works(cfg)
    if stage == "training":
        return training_works(cfg, subjects)
    if stage == "inference":
        return nullcontext(_inference(cfg, subjects))
    return folder_works(cfg, subjects[0])


def _inference(cfg: DictConfig, subjects: Sequence[Subject]) -> list[Work | Speed]:
    """Prepares inference so that all networks take their turns one after another in each way."""
    by_subject = [
        inference_works(subject, cfg.runtimes, batch_size=cfg.inference_batch_size, image_size=cfg.image_size)
        for subject in subjects
    ]
    return [work for way in zip(*by_subject, strict=True) for work in way]


def _key(row: Row) -> str:
    return "/".join(filter(None, (row.stage, row.way, row.subject)))
