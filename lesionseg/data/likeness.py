"""Compares two pictures: finds how one lies on the other by keypoints, then correlates their aligned structure.

A picture is compared as its portrait: small, grey, and without black bars, the surround of a round field of view and
the corners of a turned picture, which are alike in unrelated pictures. Keypoints are SIFT's (Lowe, "Distinctive Image
Features from Scale-Invariant Keypoints", IJCV 2004), with the square roots of their descriptors (Arandjelovic &
Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012). Structure is grey levels less
their surroundings, divided by the local contrast, so that neither colours nor light count; its alignment is refined by
Evangelidis & Psarakis, "Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization", TPAMI 2008.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data.image_file import resize_image

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

SIDE = 128  # height and width of a portrait in pixels
DARKEST, DARKER = 40, 0.3  # a dark frame is below this grey level and this share of the bright parts of the picture
EVEN = 2  # largest difference in grey levels of neighbours in a bar of one colour
LEAST = 0.01  # smallest share of the picture that a bar of one colour takes
FILLING = 0.95  # share of height and width from which a field of view is not cut out
SOFT = 2  # pixels at the edge of a frame that mix both sides

MOST_POINTS = 250  # keypoints of a picture
CONTRAST = 0.005  # of the faintest keypoint: low, because skin is smooth; grey levels are stretched first
NUMBERS = 128  # length of a descriptor: 4 x 4 places by 8 directions
FEWEST = 5  # keypoints that agree on how one picture lies on another
ROUGHLY, CLOSELY = 5.0, 3.0
"""Largest misses in pixels of keypoints that agree with one pair of them, and with the map fitted to all of them."""

FINE, COARSE, LOCAL = 0.9, 5.3, 9.3
"""Standard deviations in pixels: structure is larger than the first and smaller than the second, and its contrast is
evened out over the third."""
BLOCKS = 8  # along a side, each of which is compared by itself
KEPT = 0.75  # share of the blocks that count, the best ones: a part of the picture may be covered
SEEN = 0.3  # smallest share of a block that both pictures show for it to count
OVERLAP = 0.6  # smallest share of the smaller picture that the other one shows
ENOUGH = 8  # fewest blocks that count


class Portrait(NamedTuple):
    """A small picture, (SIDE, SIDE) uint8."""

    grey: Pixels
    field: Pixels  # 1 in the field of view, which shows skin, and 0 in a frame around it


class Keypoints(NamedTuple):
    """Points of a picture that are found again in a turned, cropped, resized or recoloured copy."""

    places: NDArray[np.complex64]  # (N,) pixels of the portrait, x + iy
    arrows: NDArray[np.complex64]  # (N,) direction, as long as the size in pixels
    descriptors: NDArray[np.floating]  # (N, NUMBERS) surroundings, of length 1; fewer numbers once they are reduced


class Agreement(NamedTuple):
    """Placement of one picture on another."""

    points: int  # number of keypoints that agree
    warp: Floats  # (2, 3) affine: places of the first -> places of the second


NO_AGREEMENT = Agreement(0, np.eye(2, 3, dtype=np.float32))


def portrait(pixels: Pixels) -> Portrait:
    """Makes the portrait of a (H, W, 3) uint8 RGB picture, cut to its field of view and stretched to a square."""
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    small = resize_image(grey, SIDE)
    field = field_of_view(small)
    left, top, width, height = cv2.boundingRect(field)
    if width * height > 0 and min(width, height) < FILLING * SIDE:
        rows, columns = _original_part(top, height, grey.shape[0]), _original_part(left, width, grey.shape[1])
        small = resize_image(np.ascontiguousarray(grey[rows, columns]), SIDE)
        field = field_of_view(small)
    return Portrait(small, field)


def field_of_view(grey: Pixels) -> Pixels:
    """Finds the part of a picture that is no frame: (H, W) uint8 levels, about SIDE a side -> (H, W) uint8 in {0, 1}.

    A frame touches the border, and is black or of one even colour. It surrounds something convex (a rectangle, a
    circle, a turned square), so a dark lesion that reaches the border in one place is given back to the picture.
    """
    square = np.ones((3, 3), np.uint8)
    dark = grey < min(DARKEST, DARKER * float(np.percentile(grey, 90)))
    even = cv2.dilate(grey, square).astype(np.int16) - cv2.erode(grey, square) <= EVEN
    frame = np.any([*_at_border(dark), *(bar for bar in _at_border(even) if _is_bar(bar, grey))], axis=0)
    if not np.any(frame):
        return np.ones_like(grey)
    closed = cv2.morphologyEx(frame.astype(np.uint8), cv2.MORPH_CLOSE, square)
    inside = cv2.morphologyEx(1 - closed, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    hull = _convex_hull(np.asarray(inside, np.uint8))
    return cv2.erode(hull, np.ones((2 * SOFT + 1, 2 * SOFT + 1), np.uint8), borderValue=1)  # type: ignore[return-value]


def _original_part(start: int, length: int, whole: int) -> slice:
    """Converts a stretch of a portrait's side to pixels of the original."""
    first = start * whole // SIDE
    return slice(first, max((start + length) * whole // SIDE, first + 1))


def _at_border(region: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Lists the connected pieces of a region that touch the border."""
    labels = cv2.connectedComponents(region.astype(np.uint8), connectivity=4)[1]
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return [labels == label for label in border if label > 0]


def _is_bar(piece: NDArray[np.bool_], grey: Pixels) -> bool:
    """Tells one colour from smooth skin, on which the light falls off."""
    return bool(piece.mean() > LEAST and grey[piece].std() < EVEN / 2)


def _convex_hull(region: Pixels) -> Pixels:
    """Fills the convex hull of the largest piece of a region; nothing if the region is empty."""
    count, labels, facts, _ = cv2.connectedComponentsWithStats(region, connectivity=4)
    filled = np.zeros_like(region)
    if count > 1:
        largest = 1 + int(facts[1:, cv2.CC_STAT_AREA].argmax())
        points = cv2.findNonZero((labels == largest).astype(np.uint8))
        cv2.fillConvexPoly(filled, cv2.convexHull(points), (1,))
    return filled


def keypoints(picture: Portrait) -> Keypoints:
    """Finds at most MOST_POINTS keypoints in the field of view of a picture."""
    detector = cv2.SIFT_create(nfeatures=MOST_POINTS, contrastThreshold=CONTRAST)  # type: ignore[attr-defined]
    found, described = detector.detectAndCompute(_stretched(picture), None if picture.field.all() else picture.field)
    found = found[:MOST_POINTS]  # of several equally strong ones OpenCV keeps one too many
    if not found:
        nothing = np.zeros(0, np.complex64)
        return Keypoints(nothing, nothing, np.zeros((0, NUMBERS), np.float32))
    x, y, sizes, angles = np.array([(*point.pt, point.size, np.deg2rad(point.angle)) for point in found], np.float32).T
    places, arrows = x + 1j * y, sizes * np.exp(1j * angles)
    described = described[:MOST_POINTS] / np.maximum(described[:MOST_POINTS].sum(axis=1, keepdims=True), 1e-6)
    return Keypoints(places.astype(np.complex64), arrows.astype(np.complex64), np.sqrt(described).astype(np.float32))


def _stretched(picture: Portrait) -> Pixels:
    """Stretches the grey levels of the field over the whole range, so that a pale copy has the same keypoints."""
    seen = picture.grey[picture.field > 0]
    if not seen.size:
        return picture.grey
    low, high = np.percentile(seen, [1, 99])
    levels = (picture.grey.astype(np.float32) - low) * (235 / max(high - low, 20)) + 10
    return np.asarray(np.clip(levels, 0, 255), np.uint8)


def mirrored(points: Keypoints) -> Keypoints:
    """Returns the keypoints of the picture mirrored left to right, without looking at it again.

    A mirror exchanges the places across the direction of a keypoint, and the senses of all directions.
    """
    grid = points.descriptors.reshape(-1, 4, 4, 8)[:, ::-1][..., -np.arange(8) % 8]
    places = (SIDE - 1) - points.places.conj()
    return Keypoints(places, -points.arrows.conj(), np.ascontiguousarray(grid).reshape(-1, NUMBERS))


def agreement(first: Keypoints, second: Keypoints) -> Agreement:
    """Finds the place, turn and size at which most keypoints of two pictures fit.

    Each pair of keypoints that are mutually most alike proposes how one picture lies on the other, and the other pairs
    are tested against it. To test for a mirror image, one of the two is `mirrored`.

    Returns:
        NO_AGREEMENT if fewer than FEWEST keypoints agree.
    """
    here, there = _partners(first, second)
    if len(here) < FEWEST:
        return NO_AGREEMENT
    from_, to = first.places[here], second.places[there]
    turns = second.arrows[there] / first.arrows[here]
    offsets = to - turns * from_
    misses = turns[:, None] * from_ + offsets[:, None] - to
    near = misses.real**2 + misses.imag**2 < ROUGHLY**2
    return _refined(from_, to, near[near.sum(axis=1).argmax()])


def _partners(first: Keypoints, second: Keypoints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs keypoints that are mutually most alike."""
    if not len(first.places) or not len(second.places):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    one, other = first.descriptors.astype(np.float32), second.descriptors.astype(np.float32)
    there, back = (one @ other.T).argmax(axis=1), (other @ one.T).argmax(axis=1)
    here = np.flatnonzero(back[there] == np.arange(len(there)))
    return here, there[here]


def _refined(here: NDArray[np.complex64], there: NDArray[np.complex64], fit: NDArray[np.bool_]) -> Agreement:
    """Fits an affine map to the keypoints that agree, twice, and counts them two pixels apart.

    Several keypoints of different directions and sizes may lie at one place.
    """
    start, target = (np.stack([places.real, places.imag, np.ones(len(places))], axis=1) for places in (here, there))
    for _ in range(2):
        if fit.sum() < FEWEST:
            return NO_AGREEMENT
        warp = np.linalg.lstsq(start[fit], target[fit, :2], rcond=None)[0]
        fit = np.hypot(*(start @ warp - target[:, :2]).T) < CLOSELY
    apart = min(len({(int(x) // 2, int(y) // 2) for x, y, _ in side[fit]}) for side in (start, target))
    return Agreement(apart, warp.T.astype(np.float32))


def likeness(first: Portrait, second: Portrait, warp: Floats) -> float:
    """Aligns two pictures, of which `warp` says about how they lie on each other, and correlates their structure.

    Returns:
        -1 to 1; 0 if they cannot be aligned or overlap too little.
    """
    one, other = structure(first), structure(second)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    try:
        _, found = cv2.findTransformECC(one, other, warp.copy(), cv2.MOTION_AFFINE, criteria, None, 5)  # type: ignore[call-overload]
    except cv2.error:  # it does not converge: they have nothing in common
        return 0.0
    both = first.field * _warped(second.field, found, cv2.INTER_NEAREST)
    scale = max(abs(float(np.linalg.det(found[:, :2]))), 1e-3)
    if both.sum() < OVERLAP * min(float(first.field.sum()), float(second.field.sum()) / scale):
        return 0.0
    return _best_blocks(one, _warped(other, found, cv2.INTER_LINEAR), both.astype(np.float32))


def structure(picture: Portrait) -> Floats:
    """Removes brightness, contrast and the surroundings of the field of view: (SIDE, SIDE) float32 around 0."""
    field = picture.field.astype(np.float32)
    levels = picture.grey.astype(np.float32) * field
    details = (_field_mean(levels, field, FINE) - _field_mean(levels, field, COARSE)) * field
    contrast = np.sqrt(_field_mean(details * details, field, LOCAL))
    return np.asarray(details / (contrast + 3), np.float32)  # 3 grey levels: noise is no structure


def _field_mean(values: Floats, field: Floats, width: float) -> Floats:
    """Averages around each pixel, over the field alone, with a Gaussian of a standard deviation."""
    weight = cv2.GaussianBlur(field, (0, 0), width)
    return np.asarray(cv2.GaussianBlur(values, (0, 0), width) / np.maximum(weight, 1e-3), np.float32)


def _warped(picture: Any, warp: Any, interpolation: int) -> Any:
    return cv2.warpAffine(picture, warp, (SIDE, SIDE), flags=cv2.WARP_INVERSE_MAP | interpolation)


def _best_blocks(one: Floats, other: Floats, both: Floats) -> float:
    """Correlates (SIDE, SIDE) structures, where both are seen, over the blocks that are most alike."""
    count, ones, others = (_block_sums(values * both) for values in (np.ones_like(one), one, other))
    products = _block_sums(one * other * both) - ones * others / np.maximum(count, 1)
    squares, other_squares = (
        _block_sums(values * values * both) - sums * sums / np.maximum(count, 1)
        for values, sums in ((one, ones), (other, others))
    )
    seen = np.flatnonzero(count > SEEN * (SIDE // BLOCKS) ** 2)
    if len(seen) < ENOUGH:
        return 0.0
    alike = products[seen] / np.sqrt(np.maximum(squares[seen] * other_squares[seen], 1e-6))
    kept = seen[np.argsort(-alike, kind="stable")[: round(KEPT * len(seen))]]
    norm = np.sqrt(squares[kept].sum() * other_squares[kept].sum())
    return float(products[kept].sum() / norm) if norm > 0 else 0.0


def _block_sums(values: Floats) -> Floats:
    """Adds up (SIDE, SIDE) values in each block: (BLOCKS * BLOCKS,)."""
    size = SIDE // BLOCKS
    return np.asarray(values.reshape(BLOCKS, size, BLOCKS, size).sum(axis=(1, 3)).ravel(), np.float32)
