"""Comparing names of files and images as people read them."""

import unicodedata


def as_read(name: str) -> str:
    """Returns a name in the one form (Unicode's NFC) that all names which look the same have.

    An accented letter is one sign or two: macOS, Linux and Windows, and the tables that come with images, differ.
    """
    return unicodedata.normalize("NFC", name)
