"""Reduces a mask to one region without holes, as the ISIC 2018 challenge defines that of a lesion.

This is done to the mask at its final size, not to the probability at the network's: there a neck between two parts may
be so narrow, or so little above the threshold, that it falls between the pixels of the resized mask, which is then two
regions again. On a run-length mask it costs next to nothing, however large the photograph.

Neighbours are pixels that share a side (4-connectivity), of lesion and of skin alike. So a region may be drawn without
lifting the pen, and skin that can be left through a corner alone counts as a hole, too: what remains has no holes by
any definition.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lesionseg.postprocessing.run_length import Integers, RunLengthMask


def with_regions(mask: RunLengthMask, *, largest_component: bool, fill_holes: bool) -> RunLengthMask:
    """Takes regions out, then fills holes; a mask without lesion stays one.

    Args:
        mask: The mask.
        largest_component: Keep the region of the most pixels alone; of equal ones the first, row by row.
        fill_holes: Turn skin that does not reach the image's border into lesion.
    """
    if largest_component:
        mask = _largest(mask)
    return _filled(mask) if fill_holes else mask


def _largest(mask: RunLengthMask) -> RunLengthMask:
    """Keeps the largest region."""
    if not mask.rows.size:
        return mask
    region = _regions(mask)
    areas = np.bincount(region, weights=mask.stops - mask.starts)
    kept = region == areas.argmax()
    return RunLengthMask(mask.shape, mask.rows[kept], mask.starts[kept], mask.stops[kept])


def _filled(mask: RunLengthMask) -> RunLengthMask:
    """Fills holes, each of which lies between two runs of a row: filling it takes away the ends of both."""
    if not mask.rows.size:
        return mask
    starts, stops = mask.flat()
    hole_starts, hole_stops = _holes(mask).flat()
    return _from_flat(mask.shape, np.setdiff1d(starts, hole_stops), np.setdiff1d(stops, hole_starts))


def _holes(mask: RunLengthMask) -> RunLengthMask:
    """Finds the skin that does not reach the image's border; there is lesion somewhere."""
    gaps = _gaps(mask)
    region = _regions(gaps)
    # Above and below the lesion is nothing but skin, or the border.
    outermost = (gaps.rows == mask.rows[0]) | (gaps.rows == mask.rows[-1])
    outside = outermost | (gaps.starts == 0) | (gaps.stops == mask.shape[1])
    is_open = np.zeros(len(gaps.rows), bool)
    is_open[region[outside]] = True
    hole = ~is_open[region]
    return RunLengthMask(gaps.shape, gaps.rows[hole], gaps.starts[hole], gaps.stops[hole])


def _gaps(mask: RunLengthMask) -> RunLengthMask:
    """Finds the runs of skin in the rows from the lesion's first to its last."""
    width = mask.shape[1]
    starts, stops = mask.flat()
    borders = np.arange(mask.rows[0], mask.rows[-1] + 2) * width
    # Skin goes from a row's start or a run's stop to the next run's start or the row's end; some have no pixels.
    gap_starts = np.sort(np.concatenate([borders[:-1], stops]))
    gap_stops = np.sort(np.concatenate([starts, borders[1:]]))
    some = gap_starts < gap_stops
    return _from_flat(mask.shape, gap_starts[some], gap_stops[some])


def _regions(mask: RunLengthMask) -> Integers:
    """Numbers each run's region from 0 on, in the order of their first runs: (runs,)."""
    width, (starts, stops) = mask.shape[1], mask.flat()
    # What a run touches in the next row lies side by side: from the first that ends behind its start.
    first = np.searchsorted(stops, starts + width, side="right")
    counts = np.searchsorted(starts, stops + width, side="left") - first
    above = np.repeat(np.arange(len(starts)), counts)
    below = np.arange(len(above)) - np.repeat(np.cumsum(counts) - counts - first, counts)
    graph = coo_array((np.ones(len(above), bool), (above, below)), shape=(len(starts), len(starts)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _from_flat(shape: tuple[int, int], starts: Integers, stops: Integers) -> RunLengthMask:
    """Makes runs of what `RunLengthMask.flat` returns."""
    rows = starts // shape[1]
    return RunLengthMask(shape, rows, starts - rows * shape[1], stops - rows * shape[1])
