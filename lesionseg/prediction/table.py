"""The table of predictions, one row per image, with the model's own doubts."""

import csv
import io
from collections.abc import Iterable

from lesionseg.prediction.jobs import Entry
from lesionseg.prediction.prediction import Measures

COLUMNS = (
    "image",
    "mask",
    "width",
    "height",
    "area_pixels",
    "area_percent",
    "left",
    "top",
    "right",
    "bottom",
    "centroid_x",
    "centroid_y",
    "mean_confidence",
    "agreement",
    "expected_jaccard",
    "touches_border",
    "review",
    "reason",
)


def review_reason(measures: Measures, review_below: float) -> str:
    """Returns the reason why a person should look at a mask; empty if there is none."""
    if not measures.area_pixels:
        return "no lesion found"
    if measures.expected_jaccard < review_below:
        return "uncertain"
    return ""


def predictions_csv(entries: Iterable[Entry], unreadable: dict[str, str], *, review_below: float) -> bytes:
    """Writes the table, sorted by image; cells that do not apply are empty.

    Args:
        entries: Finished predictions.
        unreadable: Reasons why images could not be read, by their paths; their rows hold nothing else.
        review_below: Expected Jaccard index under which a mask is to be reviewed, 0 to 1.
    """
    rows = {entry.image: _row(entry, review_below) for entry in entries}
    rows |= {image: {"image": image, "review": "yes", "reason": reason} for image, reason in unreadable.items()}
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[image] for image in sorted(rows))
    return text.getvalue().encode()


def _row(entry: Entry, review_below: float) -> dict[str, object]:
    measures = entry.measures
    reason = review_reason(measures, review_below)
    row: dict[str, object] = {
        "image": entry.image,
        "mask": entry.mask,
        "width": measures.width,
        "height": measures.height,
        "area_pixels": measures.area_pixels,
        "area_percent": f"{measures.area_percent:.4f}",
        "expected_jaccard": f"{measures.expected_jaccard:.4f}",
        "touches_border": "yes" if measures.touches_border else "no",
        "review": "yes" if reason else "no",
        "reason": reason,
    }
    if measures.mean_confidence is not None:
        row["mean_confidence"] = f"{measures.mean_confidence:.4f}"
    if measures.agreement is not None:
        row["agreement"] = f"{measures.agreement:.4f}"
    if measures.box is not None and measures.centroid is not None:
        box, (x, y) = measures.box, measures.centroid
        row |= {"left": box.left, "top": box.top, "right": box.right, "bottom": box.bottom}
        row |= {"centroid_x": f"{x:.2f}", "centroid_y": f"{y:.2f}"}
    return row
