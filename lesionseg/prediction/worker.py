"""From a chunk of photographs to their masks on the disk, which each core does beside the others."""

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionseg.data.colours import WHITE
from lesionseg.data.image_file import Photograph, decoded_bytes, file_stamp, read_photograph, resize_image
from lesionseg.data.masks import PREDICTION, draw_outline, encode_grey_png
from lesionseg.errors import InputError
from lesionseg.model.engine import Engine
from lesionseg.prediction.jobs import Job, Outputs
from lesionseg.prediction.journal import Entry, crc32
from lesionseg.prediction.prediction import Prediction

OVERLAY_SIZE = 1024
"""Pixels of an overlay's longer side at most, enough to judge an outline on a screen."""
OVERLAY_QUALITY = 90
EDGE = (60, 0, 45)
"""RGB of the rim of an overlay's line, a dark pink, so that one of the two stands out from any skin."""
LINES_ACROSS = 250
"""Ratio of an overlay's shorter side to the line's thickness."""
COPIES = 6
"""Bytes per pixel while files are made: a mask or map in grey, its rows in a PNG, and the map in float32."""

Array = NDArray[np.uint8]
Floats = NDArray[np.float32]


class MemoryBudget:
    """Limits the memory that images being worked on take together: threads wait until enough is free.

    Args:
        total: Bytes. A thread that asks for more gets all of it, alone, so that nothing waits for ever.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, amount: int) -> Iterator[None]:
        """Holds bytes while the block runs."""
        amount = min(amount, self._total)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= amount)
            self._free -= amount
        try:
            yield
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify_all()


@dataclass(frozen=True)
class _Read:
    """A photograph that has been read."""

    job: Job
    stamp: tuple[int, ...]
    """`file_stamp` of the file."""
    photograph: Photograph
    """Photograph whose pixels are resized to the network's size."""


@dataclass(frozen=True)
class Worker:
    """Predicts a few images together; one worker serves several threads at once."""

    engine: Engine
    outputs: Outputs
    budget: MemoryBudget
    looks_twice: bool
    """Whether the network also looks at each image in another way, if it can."""

    def work(self, jobs: Sequence[Job]) -> dict[str, str]:
        """Reads images, predicts them together and writes their files.

        Returns:
            Reasons why images could not be read, by their paths below the input.

        Raises:
            InputError: A result cannot be written.
        """
        unreadable: dict[str, str] = {}
        read: list[_Read] = []
        for job in jobs:
            try:
                read.append(self._read(job))
            except InputError as error:
                unreadable[job.image] = str(error)
        if read:
            images = np.stack([each.photograph.pixels for each in read])
            probabilities = self.engine.probability(images)
            second_looks = self.engine.second_look(images) if self.looks_twice else None
            for number, each in enumerate(read):
                second_look = None if second_looks is None else second_looks[number]
                self._write(each, self._prediction(each.photograph, probabilities[number], second_look))
        return unreadable

    def _read(self, job: Job) -> _Read:
        path, size = job.picture.path, self.engine.facts.image_size
        stamp = file_stamp(path)  # before reading: a file that changes meanwhile is predicted anew next time
        with self.budget.taken(decoded_bytes(path, size)):
            photograph = read_photograph(path, for_size=size)
            return _Read(job, stamp, photograph._replace(pixels=resize_image(photograph.pixels, size)))

    def _prediction(self, photograph: Photograph, probability: Floats, second_look: Floats | None) -> Prediction:
        return Prediction(
            upright=probability,
            shape=photograph.shape,
            orientation=photograph.orientation,
            postprocessing=self.engine.facts.postprocessing,
            second_look=second_look,
            temperature=self.engine.facts.temperature,
        )

    def _write(self, read: _Read, prediction: Prediction) -> None:
        """Writes an image's files, the mask last, so that where it is, everything is."""
        job, mask = read.job, prediction.mask()
        height, width = mask.shape
        memory = COPIES * height * width
        if self.outputs.overlays:
            memory = max(memory, decoded_bytes(job.picture.path, OVERLAY_SIZE))
        with self.budget.taken(memory):
            if self.outputs.probabilities:
                self.outputs.probabilities.write(job.probability, _probability_png(prediction))
            if self.outputs.overlays:
                self.outputs.overlays.write(job.overlay, _overlay_jpeg(job.picture.path, prediction))
            content = encode_grey_png(mask.pixels(), orientation=prediction.orientation)
        entry = Entry(
            image=job.image,
            mask=job.mask.as_posix(),
            model=self.engine.facts.sha256,
            image_stamp=read.stamp,
            mask_crc32=crc32(content),
            has_probability=self.outputs.probabilities is not None,
            has_overlay=self.outputs.overlays is not None,
            measures=prediction.measures(mask),
        )
        self.outputs.journal.add(entry)
        self.outputs.masks.write(job.mask, content)


def _probability_png(prediction: Prediction) -> bytes:
    """Draws the probabilities at the image's own size as grey levels, 255 for 1."""
    grey = cv2.convertScaleAbs(prediction.enlarged(), alpha=WHITE)
    return encode_grey_png(np.asarray(grey, np.uint8), orientation=prediction.orientation)


def _overlay_jpeg(path: Path, prediction: Prediction) -> bytes:
    """Draws the outline on the photograph, upright, as people look at it."""
    pixels = _at_most(read_photograph(path, for_size=OVERLAY_SIZE).pixels, OVERLAY_SIZE)
    mask = prediction.upright_mask(pixels.shape[:2]).pixels()
    file = io.BytesIO()
    Image.fromarray(draw_overlay(pixels, mask)).save(file, "JPEG", quality=OVERLAY_QUALITY)
    return file.getvalue()


def _at_most(pixels: Array, side: int) -> Array:
    """Reduces (h, w, 3) until the longer side has `side` pixels; smaller ones stay as they are."""
    scale = side / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def draw_overlay(pixels: Array, mask: Array) -> Array:
    """Draws the outline of a predicted mask (h, w), 0 outside, on a copy of its photograph (h, w, 3) in RGB.

    The line's thickness is proportional to the picture's size, so that a reduced picture looks like a large one.
    """
    thickness = max(2, round(min(mask.shape) / LINES_ACROSS))  # a smoothed line of 1 is but a shade
    rim = max(2, 2 * round(thickness / 3))
    drawn = pixels.copy()
    draw_outline(drawn, mask, EDGE, thickness=thickness + rim)
    draw_outline(drawn, mask, PREDICTION, thickness=thickness)
    return drawn
