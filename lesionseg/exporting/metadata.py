"""What an export tells about its model, for people and for programs."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import lesionseg
from lesionseg.checkpoint.checkpoint import temperature_of
from lesionseg.data.synthetic import trains_on_drawn_images
from lesionseg.exporting.embedded_facts import FORMAT, EmbeddedFacts
from lesionseg.model.engine import file_digest, id_digest
from lesionseg.postprocessing.postprocessing import Postprocessing

CLASSES = ["lesion"]
INPUT_IN_WORDS = "image: (batch, height, width, 3) uint8, RGB 0..255, any batch, height and width"
OUTPUTS_IN_WORDS = (
    "probability: (batch, height, width) float32 of lesion, 0..1; "
    "mask: (batch, height, width) uint8, 1 where the probability is above the threshold, else 0 "
    "(lesionseg.predict writes 255 in place of 1); "
    "without largest_component and fill_holes, which lesionseg does to it where they are true"
)


def embedded(
    checkpoint: Mapping[str, Any],
    path: Path,
    *,
    postprocessing: Postprocessing,
    precision: Literal["fp32", "fp16", "int8"],
    licence: str,
    intended_use: str,
) -> EmbeddedFacts:
    """Collects what the exported file carries.

    Args:
        checkpoint: As `lesionseg.checkpoint.checkpoint.read` returns it.
        path: Its file.
        postprocessing: That of the segmenter.
        precision: Of the exported weights.
        licence: Of the weights, in their owner's words.
        intended_use: Likewise.

    Raises:
        pydantic.ValidationError: A number or text is out of its range.
    """
    record = checkpoint["lesionseg"]
    trained_on = sorted({id_digest(id_) for id_ in record["split"]["parts"]["train"]})
    return EmbeddedFacts(
        format=FORMAT,
        name=record["config"]["name"],
        classes=CLASSES,
        image_size=record["config"]["image_size"],
        **postprocessing.settings(),
        temperature=temperature_of(checkpoint),
        precision=precision,
        version=record["code"]["version"],
        git_commit=record["code"]["git_commit"],
        exported_by=lesionseg.__version__,
        checkpoint_sha256=file_digest(path),
        split_sha256=record["split"]["sha256"],
        trained_on_images=len(trained_on),
        trained_on_sha256=sha256("".join(trained_on).encode()).hexdigest(),
        trained_on=trained_on,
        is_of_drawn_images=trains_on_drawn_images(record["config"].get("data")),
        licence=licence,
        intended_use=intended_use,
        input=INPUT_IN_WORDS,
        outputs=OUTPUTS_IN_WORDS,
    )
