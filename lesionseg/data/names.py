"""Names of files and images: their canonical spelling, and those that public archives give."""

import re
import unicodedata

LITTER = frozenset({"__MACOSX", "@eaDir"})
"""Folders that macOS's archives and file servers add."""
ARCHIVE_IMAGES = re.compile(r"(ISIC_\d{7})(?:_downsampled)?|(IMD\d{3})", re.IGNORECASE)
"""Images of the ISIC archive, some of which ISIC 2019 has at a smaller size, and of PH2."""
ARCHIVE_GROUPS = re.compile(r"HAM_\d{7}|I[LP]_\d{7}", re.IGNORECASE)
"""Lesions of HAM10000, and lesions and patients of the ISIC archive."""


def as_read(name: str) -> str:
    """Returns a name in Unicode's NFC form.

    macOS, Linux, Windows and tables differ in whether an accented letter is one character or two.
    """
    return unicodedata.normalize("NFC", name)


def archive_image(id_: str) -> str | None:
    """Returns the name of an image in its public archive, which all sources share, or None for any other image.

    Data sets share images under one name although some crop, resize or outline them differently, so names find
    duplicates that pictures do not.

    Args:
        id_: Id of a sample, also of a combined source (`ph2/IMD002`).
    """
    match = ARCHIVE_IMAGES.fullmatch(id_.rpartition("/")[2])
    return (match[1] or match[2]).upper() if match else None


def archive_group(group: str) -> str | None:
    """Returns the name of a lesion or patient in its public archive, or None for any other group."""
    return group.upper() if ARCHIVE_GROUPS.fullmatch(group) else None
