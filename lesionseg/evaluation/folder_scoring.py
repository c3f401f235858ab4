"""Scoring anybody's masks: two folders in, a report out; no model, and nothing of torch."""

import logging
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import track

from lesionseg.arguments import argument_faults
from lesionseg.build import build
from lesionseg.cores import usable_cores
from lesionseg.data.image_file import read_photograph
from lesionseg.data.orientation import ON_ITS_SIDE, UPRIGHT, as_stored
from lesionseg.errors import InputError, raise_all
from lesionseg.evaluation.evaluated import versions_and_date
from lesionseg.evaluation.image_scores import ImageScores
from lesionseg.evaluation.mask_folders import MaskPair, pair_masks, read_decision
from lesionseg.evaluation.mask_orientation import orientation_notes
from lesionseg.evaluation.publishing import publish
from lesionseg.evaluation.report.figures import figures
from lesionseg.evaluation.report.terminal import print_summary
from lesionseg.evaluation.scorer import score_image
from lesionseg.evaluation.settings import EvaluationSettings
from lesionseg.evaluation.summarising import check_metadata, metadata_of, summarise, with_metadata
from lesionseg.ranges import range_faults

log = logging.getLogger(__name__)


def score_folders(cfg: DictConfig) -> dict[str, float]:
    """Scores `cfg.predictions` against `cfg.truth` and writes everything below `cfg.run_dir`.

    Returns:
        The means over images as `test/<metric>`.

    Raises:
        InputError: Settings or files are wrong; lists every fault, and nothing has been written.
    """
    settings = _settings(cfg)
    predictions, truth = Path(cfg.predictions), Path(cfg.truth)
    pairs, faults = pair_masks(
        predictions,
        truth,
        None if cfg.images is None else Path(cfg.images),
        prediction_suffix=cfg.prediction_suffix,
        truth_suffix=cfg.truth_suffix,
    )
    raise_all("The folders do not fit together:", faults)
    notes = _orientation_notes(pairs)
    for note in notes:
        log.warning(note)
    ids = [pair.id for pair in pairs]
    check_metadata(settings, ids)
    images = with_metadata(_score_all(pairs, cfg, settings), metadata_of(settings, ids))
    facts = {
        "predictions": str(predictions.absolute()),
        "truth": str(truth.absolute()),
        "chosen images": f"all {len(pairs):,} of the folders",
        "decision": f"lesion is where a mask is above {cfg.prediction_above} (truth: above {cfg.truth_above})",
        **({"orientation": "; ".join(notes)} if notes else {}),
    } | versions_and_date()
    summary = summarise(images, None, name=cfg.name or predictions.absolute().name, facts=facts, settings=settings)
    publish(summary, images, figures(summary, images), Path(cfg.run_dir))
    print_summary(summary, Path(cfg.run_dir))
    return {f"test/{name}": estimate.value for name, estimate in summary.metrics.items()}


def _settings(cfg: DictConfig) -> EvaluationSettings:
    """Checks and builds what `cfg.evaluation` says."""
    node: Any = OmegaConf.to_container(cfg.evaluation, resolve=True)
    faults = [f"evaluation: {fault}" for fault in argument_faults(node)]
    faults += range_faults({"evaluation": node, **{name: cfg[name] for name in ("prediction_above", "truth_above")}})
    raise_all("The configuration has faults:", faults)
    settings: EvaluationSettings = build("evaluation", cfg.evaluation)
    return settings


def _score_all(pairs: Sequence[MaskPair], cfg: DictConfig, settings: EvaluationSettings) -> list[ImageScores]:
    """Scores all pairs side by side; memory holds a few of them at a time."""

    def score(pair: MaskPair) -> ImageScores | str:
        try:
            return _score(pair, cfg, settings)
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


def _orientation_notes(pairs: Sequence[MaskPair]) -> list[str]:
    turned = {pair.id for pair in pairs if pair.upright}
    return list(orientation_notes([pair.id for pair in pairs], [pair.orientations for pair in pairs], turned))


def _score(pair: MaskPair, cfg: DictConfig, settings: EvaluationSettings) -> ImageScores:
    as_prediction, as_truth = (UPRIGHT, UPRIGHT) if pair.upright else pair.orientations
    target = read_decision(pair.truth, cfg.truth_above, "truth_above", stored_as=as_truth)
    return score_image(
        pair.id,
        prediction=read_decision(pair.prediction, cfg.prediction_above, "prediction_above", stored_as=as_prediction),
        target=target,
        photograph=_photograph(pair, target.shape, settings),
        probability=None,
        settings=settings,
    ).scores


def _photograph(pair: MaskPair, shape: tuple[int, ...], settings: EvaluationSettings) -> NDArray[np.uint8] | None:
    """Reads the photograph as its masks, of (H, W), lie: upright, or as stored where one has its orientation."""
    if pair.image is None:
        return None
    photograph = read_photograph(pair.image, for_size=max(settings.picture_size, 256))
    stored = photograph.shape[::-1] if photograph.orientation in ON_ITS_SIDE else photograph.shape
    follows = photograph.orientation in pair.orientations or photograph.shape != shape
    if pair.upright or stored != shape or not follows:
        return photograph.pixels
    return as_stored(photograph.pixels, photograph.orientation)
