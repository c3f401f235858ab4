"""Names that public archives give: the same in every data set that has the image, and in nobody's own.

The ISIC archive's sets share images, some of them cropped or resized otherwise, or with another outline; so pictures
alone do not show all that two of them share, and names do.
"""

import re

IMAGES = re.compile(r"(ISIC_\d{7})(?:_downsampled)?|(IMD\d{3})", re.IGNORECASE)
"""ISIC's images, which ISIC 2019 has some of at a smaller size, and PH2's."""
GROUPS = re.compile(r"HAM_\d{7}|I[LP]_\d{7}", re.IGNORECASE)
"""HAM10000's lesions, and the ISIC archive's lesions and patients."""


def archive_image(id_: str) -> str | None:
    """Returns the archive's name of an image, whichever combined source's name stands before it; None for any other."""
    match = IMAGES.fullmatch(id_.rpartition("/")[2])
    return (match[1] or match[2]).upper() if match else None


def archive_group(group: str) -> str | None:
    """Returns the archive's name of a lesion or a patient, which is the same in every source; None for any other."""
    return group.upper() if GROUPS.fullmatch(group) else None
