"""Whether a training sees photographs, or only images that lesionseg draws."""

from collections.abc import Mapping
from typing import Any

DRAWN = "lesionseg.data.synthetic.Synthetic"


def trains_on_drawn_images(node: Any) -> bool:
    """Tells whether a configured data source has drawn images alone to train on, also where it combines several.

    Args:
        node: Settings as plain values, of a checkpoint whose contents nobody vouches for.
    """
    combined = node.get("train") if isinstance(node, Mapping) else None
    parts = list(combined.values()) if isinstance(combined, Mapping) else [node]
    kept = [part for part in parts if part is not None]
    return bool(kept) and all(isinstance(part, Mapping) and part.get("_target_") == DRAWN for part in kept)
