"""From a configuration to a benchmark: building, trying, measuring stage by stage, then writing."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from lesionseg.benchmarking.complexity import flops_of, parameter_count
from lesionseg.benchmarking.files import print_report, write_report
from lesionseg.benchmarking.folder_works import folder_works
from lesionseg.benchmarking.images import random_images
from lesionseg.benchmarking.inference_works import inference_works
from lesionseg.benchmarking.loader_works import loader_works
from lesionseg.benchmarking.missing import NotMeasurableError
from lesionseg.benchmarking.peak_memory import TrainingSettings, peak_memory
from lesionseg.benchmarking.report import Report, SubjectFacts, limits, lines_of
from lesionseg.benchmarking.settings import settle
from lesionseg.benchmarking.subject import Subject, build_subject, subject_settings
from lesionseg.benchmarking.timing import STAGES, Row, Speed, Work, measure
from lesionseg.benchmarking.trial import try_out
from lesionseg.system.device import describe_device, limit_threads
from lesionseg.system.environment import environment

log = logging.getLogger(__name__)

Prepared = list[Work | Speed]
"""What is to be measured and, where something cannot be, why."""


def run_benchmark(cfg: DictConfig) -> dict[str, float]:
    """Measures what `cfg` asks for, see `conf/benchmark.yaml`; prints tables and writes them, data and a picture.

    Returns:
        Median images a second by `<stage>/<way>/<subject>`, of what could be measured.

    Raises:
        InputError: A setting, the checkpoint, the data or another network is wrong.
    """
    settled = settle(cfg)
    limit_threads()
    before = limits()
    torch.manual_seed(settled.seed)
    subjects = [build_subject(settings) for settings in subject_settings(settled)]
    for peer in subjects[1:]:
        try_out(peer, image_size=settled.image_size, trains="training" in settled.measure)
    facts = [_facts(settled, subject) for subject in subjects]
    speeds = [speed for stage in STAGES if stage in settled.measure for speed in _stage(stage, settled, subjects)]
    report = Report(
        device=describe_device(subjects[0].device, subjects[0].settings.precision),
        environment=environment(),
        limits={"before": before, "after": limits()},
        config=OmegaConf.to_container(settled, resolve=True),  # type: ignore[arg-type]
        subjects=facts,
        lines=lines_of(speeds, subjects[0].name),
    )
    write_report(report, Path(settled.run_dir))
    print_report(report, Path(settled.run_dir))
    found = ((line.speed.row, line.spread) for line in report.lines)
    return {_key(row): spread.median for row, spread in found if spread is not None}


def _facts(cfg: DictConfig, subject: Subject) -> SubjectFacts:
    """Counts a network and, where training is measured, has a process of its own find its peak memory."""
    image = subject.laid_out(random_images(1, cfg.image_size).to(subject.device))
    facts = SubjectFacts(
        name=subject.name,
        words=subject.settings.words,
        parameters=parameter_count(subject.segmenter),
        flops=flops_of(subject.segmenter, image),
        peak_memory=None,
        peak_memory_missing=None,
    )
    if "training" not in cfg.measure:
        return facts
    log.info("measuring the peak memory of training %s", subject.name)
    try:
        return replace(facts, peak_memory=peak_memory(_training_settings(cfg, subject)))
    except NotMeasurableError as error:
        return replace(facts, peak_memory_missing=str(error))


def _stage(stage: str, cfg: DictConfig, subjects: Sequence[Subject]) -> list[Speed]:
    """Prepares a stage and measures it."""
    log.info("measuring: %s", stage)
    prepare = {"loader": _loader, "training": _training, "inference": _inference, "folder": _folder}[stage]
    with prepare(cfg, subjects) as prepared:
        return measure(prepared, rounds=cfg.rounds, seconds=cfg.seconds)


@contextmanager
def _loader(cfg: DictConfig, subjects: Sequence[Subject]) -> Iterator[Prepared]:
    with loader_works(cfg) as prepared:
        yield prepared


@contextmanager
def _training(cfg: DictConfig, subjects: Sequence[Subject]) -> Iterator[Prepared]:
    """Takes the gradients' and the optimizers' memory back when the stage ends."""
    steps = [_training_settings(cfg, subject).step(subject) for subject in subjects]
    rows = [
        Row("training", "step", subject.name, f"{subject.settings.words}, batch {cfg.batch_size}")
        for subject in subjects
    ]
    yield [Work(row, cfg.batch_size, step, finish=step.subject.wait) for row, step in zip(rows, steps, strict=True)]
    for step in steps:
        step.end()


@contextmanager
def _inference(cfg: DictConfig, subjects: Sequence[Subject]) -> Iterator[Prepared]:
    """Puts the networks' same ways one after another, also in time."""
    by_subject = [
        inference_works(subject, cfg.runtimes, batch_size=cfg.inference_batch_size, image_size=cfg.image_size)
        for subject in subjects
    ]
    yield [item for way in zip(*by_subject, strict=True) for item in way]


@contextmanager
def _folder(cfg: DictConfig, subjects: Sequence[Subject]) -> Iterator[Prepared]:
    """Measures the first network alone: others have no checkpoint that opens."""
    with folder_works(cfg, subjects[0]) as prepared:
        yield prepared


def _training_settings(cfg: DictConfig, subject: Subject) -> TrainingSettings:
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    return TrainingSettings(
        subject=subject.settings,
        loss=plain["loss"],
        optimizer=plain["optimizer"],
        batch_size=cfg.batch_size,
        image_size=cfg.image_size,
    )


def _key(row: Row) -> str:
    return "/".join(filter(None, (row.stage, row.way, row.subject)))
