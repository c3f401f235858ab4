"""Scores of a folder of masks, of any method, against a folder of ground truth.

Masks are compared as they are stored, without regard to EXIF, as in the scorer of the ISIC challenge. Only two masks
that fit upright alone are turned first.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from lesionseg.config.build import argument_faults, build
from lesionseg.config.value_checks import range_faults
from lesionseg.data.check.examination import FileFacts, file_facts
from lesionseg.data.image_file import ON_ITS_SIDE, UPRIGHT, as_stored, read_photograph
from lesionseg.data.masks import read_grey, thresholded
from lesionseg.data.names import (
    MASK_WORDS,
    PREDICTION_WORDS,
    Affix,
    as_read,
    is_readable,
    is_unsupported,
    readable_text,
    shared_affix,
    unsupported_text,
)
from lesionseg.errors import InputError, raise_all
from lesionseg.evaluation.scorer import TRAITS_SIZE, score_image
from lesionseg.evaluation.settings import EvaluationSettings
from lesionseg.evaluation.strata import check_metadata, with_metadata
from lesionseg.evaluation.summary import Summary, summarise
from lesionseg.metrics.definitions import measured_formulas
from lesionseg.metrics.formula import Formula
from lesionseg.metrics.image_scores import ImageScores
from lesionseg.system.environment import versions_and_date
from lesionseg.system.machine import on_all_cores

log = logging.getLogger(__name__)

SINGLE_CHANNEL = ("1", "L")  # Pillow's modes that the ISIC scorer takes
MOST_NAMED = 4  # images that a note names


@dataclass(frozen=True)
class MaskPair:
    """A prediction, its ground truth and, where given, the photograph."""

    id: str
    prediction: Path
    truth: Path
    image: Path | None
    orientations: tuple[int, int] = (UPRIGHT, UPRIGHT)  # EXIF orientations of prediction and ground truth
    upright: bool = False  # whether both are turned upright before they are compared


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


def pair_masks(
    predictions: Path,
    truth: Path,
    images: Path | None,
    *,
    prediction_suffix: str | None,
    truth_suffix: str | None,
) -> tuple[list[MaskPair], list[str]]:
    """Pairs the masks of two folders, and their photographs if given, by name and reads the header of every mask.

    A suffix is what follows the image's name, for example `_segmentation`; None finds it out.

    Returns:
        The pairs, sorted by id, and a sentence for every fault; pairs with any fault are not to be scored.

    Raises:
        InputError: A folder is missing or has no image files.
    """
    predicted, targets = _by_id(predictions, prediction_suffix), _by_id(truth, truth_suffix)
    photographs = {} if images is None else _by_id(images, "")
    faults = [*_repeated(predicted), *_repeated(targets), *_unsupported(predictions), *_unsupported(truth)]
    faults += [f"{id_}: the ground truth has no prediction" for id_ in sorted(targets.keys() - predicted.keys())]
    faults += [f"{predicted[id_][0]}: no ground truth for it" for id_ in sorted(predicted.keys() - targets.keys())]
    if images is not None:
        faults += [f"{id_}: no photograph in {images}" for id_ in sorted(targets.keys() - photographs.keys())]
    pairs = []
    for id_ in sorted(targets.keys() & predicted.keys()):
        pair = MaskPair(id_, predicted[id_][0], targets[id_][0], photographs.get(id_, [None])[0])
        pairs.append(_oriented(pair, faults))
    return pairs, faults


def read_thresholded(path: Path, above: int, setting: str, *, stored_as: int = UPRIGHT) -> NDArray[np.uint8]:
    """Reads a mask file as (H, W) in {0, 1}: lesion where the grey level is above `above`; see `thresholded`.

    Args:
        path: The file.
        above: Grey level, 0 to 254.
        setting: Name of `above` on the command line.
        stored_as: EXIF orientation to undo, so that pixels lie as they are stored; 1 leaves the mask upright.

    Raises:
        InputError: The file cannot be read, or all would be skin in a mask that has two levels.
    """
    return thresholded(as_stored(read_grey(path), stored_as), str(path), above=above, setting=setting)


def orientation_notes(pairs: Sequence[MaskPair]) -> Iterator[str]:
    """Yields sentences about pairs whose EXIF orientations differ, and how they are compared."""
    for upright, what in (
        (False, "are compared as they are stored, as the ISIC challenge's scorer does; if one lies turned, turn it"),
        (True, "fit only when they are turned upright as EXIF says, and are compared so"),
    ):
        named = [
            f"{pair.id}: {pair.orientations[0]} and {pair.orientations[1]}"
            for pair in pairs
            if pair.orientations[0] != pair.orientations[1] and pair.upright == upright
        ]
        if named:
            more = f", and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
            listed = f"{', '.join(named[:MOST_NAMED])}{more}"
            yield f"{len(named)} predictions whose EXIF orientation is not their ground truth's ({listed}) {what}"


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

    results = on_all_cores(score, pairs, "scoring")
    raise_all("Some files cannot be scored:", [result for result in results if isinstance(result, str)])
    return [result for result in results if isinstance(result, ImageScores)]


def _score(
    pair: MaskPair, cfg: DictConfig, settings: EvaluationSettings, formulas: Mapping[str, Formula]
) -> ImageScores:
    as_prediction, as_truth = (UPRIGHT, UPRIGHT) if pair.upright else pair.orientations
    target = read_thresholded(pair.truth, cfg.truth_above, "truth_above", stored_as=as_truth)
    return score_image(
        pair.id,
        prediction=read_thresholded(pair.prediction, cfg.prediction_above, "prediction_above", stored_as=as_prediction),
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
    photograph = read_photograph(pair.image, for_size=max(settings.picture_size, TRAITS_SIZE))
    stored = photograph.shape[::-1] if photograph.orientation in ON_ITS_SIDE else photograph.shape
    follows = photograph.orientation in pair.orientations or photograph.shape != shape
    if pair.upright or stored != shape or not follows:
        return photograph.pixels
    return as_stored(photograph.pixels, photograph.orientation)


def _by_id(folder: Path, suffix: str | None) -> dict[str, list[Path]]:
    """Lists the image files of a folder by the image's name."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder.absolute()}")
    paths = [path for path in _visible(folder) if is_readable(path)]
    if not paths:
        raise InputError(f"{folder.absolute()} has no image files; allowed: {readable_text()}")
    stems = [as_read(path.stem) for path in paths]
    affix = shared_affix(stems, MASK_WORDS | PREDICTION_WORDS) if suffix is None else Affix(suffix=as_read(suffix))
    found: dict[str, list[Path]] = {}
    for path, stem in zip(paths, stems, strict=True):
        name = affix.taken_off(stem)
        found.setdefault(stem if name is None else name, []).append(path)
    return found


def _visible(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]


def _unsupported(folder: Path) -> Iterator[str]:
    """Yields what to do with unreadable pictures that have no readable one of the same name beside them."""
    files = _visible(folder)
    readable = {path.stem for path in files if is_readable(path)}
    return (unsupported_text(path) for path in files if is_unsupported(path) and path.stem not in readable)


def _repeated(files: Mapping[str, Sequence[Path]]) -> Iterator[str]:
    for id_, paths in files.items():
        if len(paths) > 1:
            yield f"{' and '.join(path.name for path in paths)} in {paths[0].parent}: both are masks of {id_}"


def _oriented(pair: MaskPair, faults: list[str]) -> MaskPair:
    """Compares the headers of two files; finds out which way up they fit, and adds what is wrong to `faults`."""
    headers = []
    for path in (pair.prediction, pair.truth):
        try:
            headers.append(file_facts(path))
            faults += _format_faults(path, headers[-1])
        except InputError as error:
            faults.append(str(error))
    if len(headers) < 2:
        return pair
    prediction, truth = headers
    upright = prediction.stored_shape != truth.stored_shape
    if upright and prediction.shape != truth.shape:
        sizes = f"is {_in_words(prediction)}, its ground truth {_in_words(truth)}"
        faults.append(f"{pair.prediction}: {sizes}; save it at that size")
    return replace(pair, orientations=(prediction.orientation, truth.orientation), upright=upright)


def _in_words(file: FileFacts) -> str:
    height, width = file.stored_shape
    turned = f" with EXIF orientation {file.orientation}" if file.orientation != UPRIGHT else ""
    return f"{width} x {height} pixels{turned}"


def _format_faults(path: Path, file: FileFacts) -> Iterator[str]:
    if file.format == "JPEG":
        yield f"{path}: is a JPEG, which changes pixels at outlines; save masks as PNG"
    elif file.mode not in SINGLE_CHANNEL:
        yield f"{path}: has mode {file.mode}; allowed: one channel of 1 or 8 bits (Pillow's modes 1 and L)"
