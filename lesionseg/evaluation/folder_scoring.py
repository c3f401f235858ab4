"""Scores of a folder of masks, of any method, against a folder of ground truth."""

import logging
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import track

from lesionseg.config.build import build
from lesionseg.config.value_checks import argument_faults, range_faults
from lesionseg.data.image_file import ON_ITS_SIDE, UPRIGHT, as_stored, read_photograph
from lesionseg.errors import InputError, raise_all
from lesionseg.evaluation.mask_folders import MaskPair, orientation_notes, pair_masks, read_decision
from lesionseg.evaluation.scorer import score_image
from lesionseg.evaluation.settings import EvaluationSettings
from lesionseg.evaluation.strata import check_metadata, with_metadata
from lesionseg.evaluation.summarising import summarise
from lesionseg.evaluation.summary import Summary
from lesionseg.metrics.definitions import measured_formulas
from lesionseg.metrics.formula import Formula
from lesionseg.metrics.image_scores import ImageScores
from lesionseg.system.environment import versions_and_date
from lesionseg.system.machine import usable_cores

log = logging.getLogger(__name__)


def score_folders(cfg: DictConfig) -> tuple[Summary, list[ImageScores]]:
    """Scores `cfg.predictions` against `cfg.truth`; needs neither a model nor torch.

    Returns:
        The numbers, and the scores of each image.

    Raises:
        InputError: Settings or files are wrong; lists every fault.
    """
    settings = _settings(cfg)
    formulas = measured_formulas(build("metrics", cfg.metrics))
    predictions, truth = Path(cfg.predictions), Path(cfg.truth)
    photographs = None if cfg.images is None else Path(cfg.images)
    suffixes = {"prediction_suffix": cfg.prediction_suffix, "truth_suffix": cfg.truth_suffix}
    pairs, faults = pair_masks(predictions, truth, photographs, **suffixes)
    raise_all("The folders do not fit together:", faults)
    notes = list(orientation_notes(pairs))
    for note in notes:
        log.warning(note)
    check_metadata(settings, [pair.id for pair in pairs])
    images = with_metadata(_score_all(pairs, cfg, settings, formulas), settings)
    facts = {
        "predictions": str(predictions.absolute()),
        "truth": str(truth.absolute()),
        "chosen images": f"all {len(pairs):,} of the folders",
        "decision": f"lesion is where a mask is above {cfg.prediction_above} (truth: above {cfg.truth_above})",
        **({"orientation": "; ".join(notes)} if notes else {}),
    } | versions_and_date()
    name = cfg.name or predictions.absolute().name
    return summarise(images, None, name=name, facts=facts, settings=settings, formulas=formulas), images


def _settings(cfg: DictConfig) -> EvaluationSettings:
    """Checks and builds `cfg.evaluation`."""
    node: Any = OmegaConf.to_container(cfg.evaluation, resolve=True)
    faults = [f"evaluation: {fault}" for fault in argument_faults(node)]
    faults += range_faults({"evaluation": node, **{name: cfg[name] for name in ("prediction_above", "truth_above")}})
    raise_all("The configuration has faults:", faults)
    settings: EvaluationSettings = build("evaluation", cfg.evaluation)
    return settings


def _score_all(
    pairs: Sequence[MaskPair], cfg: DictConfig, settings: EvaluationSettings, formulas: Mapping[str, Formula]
) -> list[ImageScores]:
    """Scores all pairs on all cores; memory holds a few of them at a time."""

    def score(pair: MaskPair) -> ImageScores | str:
        try:
            return _score(pair, cfg, settings, formulas)
        except InputError as error:
            return str(error)

    with ThreadPoolExecutor(usable_cores()) as pool:
        done = track(
            pool.map(score, pairs),
            "scoring",
            total=len(pairs),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        results = list(done)
    raise_all("Some files cannot be scored:", [result for result in results if isinstance(result, str)])
    return [result for result in results if isinstance(result, ImageScores)]


def _score(
    pair: MaskPair, cfg: DictConfig, settings: EvaluationSettings, formulas: Mapping[str, Formula]
) -> ImageScores:
    as_prediction, as_truth = (UPRIGHT, UPRIGHT) if pair.upright else pair.orientations
    target = read_decision(pair.truth, cfg.truth_above, "truth_above", stored_as=as_truth)
    return score_image(
        pair.id,
        prediction=read_decision(pair.prediction, cfg.prediction_above, "prediction_above", stored_as=as_prediction),
        target=target,
        photograph=_photograph(pair, target.shape, settings),
        probability=None,
        settings=settings,
        formulas=formulas,
    ).scores


def _photograph(pair: MaskPair, shape: tuple[int, ...], settings: EvaluationSettings) -> NDArray[np.uint8] | None:
    """Reads the photograph with the orientation of its masks, (H, W): upright, or as stored."""
    if pair.image is None:
        return None
    photograph = read_photograph(pair.image, for_size=max(settings.picture_size, 256))
    stored = photograph.shape[::-1] if photograph.orientation in ON_ITS_SIDE else photograph.shape
    follows = photograph.orientation in pair.orientations or photograph.shape != shape
    if pair.upright or stored != shape or not follows:
        return photograph.pixels
    return as_stored(photograph.pixels, photograph.orientation)
