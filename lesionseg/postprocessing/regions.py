"""A mask as one region without holes, as the ISIC 2018 challenge defines a lesion's.

Done to the mask at its final size, not to the probability at the network's: there a neck between two parts may be so
narrow, or so little above the threshold, that it falls between the pixels of the resized mask, which is then two
regions again. On runs of pixels it costs next to nothing, however large the photograph.

Neighbours are pixels that share a side (4-connectivity), of lesion and of skin alike. So a region may be drawn without
lifting the pen, and skin that can be left through a corner alone counts as a hole, too: what remains has no holes by
any definition.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lesionseg.postprocessing.run_length import Integers, Runs


def with_regions(runs: Runs, *, largest_component: bool, fill_holes: bool) -> Runs:
    """Takes regions out, then fills holes; a mask without lesion stays one.

    Args:
        runs: The mask.
        largest_component: Keep the region of the most pixels alone; of equal ones the first, row by row.
        fill_holes: Turn skin that does not reach the image's border into lesion.
    """
    if largest_component:
        runs = _largest(runs)
    return _filled(runs) if fill_holes else runs


def _largest(runs: Runs) -> Runs:
    """Keeps the largest region."""
    if not runs.rows.size:
        return runs
    region = _regions(runs)
    areas = np.bincount(region, weights=runs.stops - runs.starts)
    kept = region == areas.argmax()
    return Runs(runs.shape, runs.rows[kept], runs.starts[kept], runs.stops[kept])


def _filled(runs: Runs) -> Runs:
    """Fills holes, each of which lies between two runs of a row: filling it takes away the ends of both."""
    if not runs.rows.size:
        return runs
    starts, stops = runs.flat()
    hole_starts, hole_stops = _holes(runs).flat()
    return _from_flat(runs.shape, np.setdiff1d(starts, hole_stops), np.setdiff1d(stops, hole_starts))


def _holes(runs: Runs) -> Runs:
    """Finds the skin that does not reach the image's border; there is lesion somewhere."""
    gaps = _gaps(runs)
    region = _regions(gaps)
    # Above and below the lesion is nothing but skin, or the border.
    outermost = (gaps.rows == runs.rows[0]) | (gaps.rows == runs.rows[-1])
    outside = outermost | (gaps.starts == 0) | (gaps.stops == runs.shape[1])
    is_open = np.zeros(len(gaps.rows), bool)
    is_open[region[outside]] = True
    hole = ~is_open[region]
    return Runs(gaps.shape, gaps.rows[hole], gaps.starts[hole], gaps.stops[hole])


def _gaps(runs: Runs) -> Runs:
    """Finds the runs of skin in the rows from the lesion's first to its last."""
    width = runs.shape[1]
    starts, stops = runs.flat()
    borders = np.arange(runs.rows[0], runs.rows[-1] + 2) * width
    # Skin goes from a row's start or a run's stop to the next run's start or the row's end; some have no pixels.
    gap_starts = np.sort(np.concatenate([borders[:-1], stops]))
    gap_stops = np.sort(np.concatenate([starts, borders[1:]]))
    some = gap_starts < gap_stops
    return _from_flat(runs.shape, gap_starts[some], gap_stops[some])


def _regions(runs: Runs) -> Integers:
    """Numbers each run's region from 0 on, in the order of their first runs: (runs,)."""
    width, (starts, stops) = runs.shape[1], runs.flat()
    # What a run touches in the next row lies side by side: from the first that ends behind its start.
    first = np.searchsorted(stops, starts + width, side="right")
    counts = np.searchsorted(starts, stops + width, side="left") - first
    above = np.repeat(np.arange(len(starts)), counts)
    below = np.arange(len(above)) - np.repeat(np.cumsum(counts) - counts - first, counts)
    graph = coo_array((np.ones(len(above), bool), (above, below)), shape=(len(starts), len(starts)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _from_flat(shape: tuple[int, int], starts: Integers, stops: Integers) -> Runs:
    """Makes runs of what `Runs.flat` returns."""
    rows = starts // shape[1]
    return Runs(shape, rows, starts - rows * shape[1], stops - rows * shape[1])
