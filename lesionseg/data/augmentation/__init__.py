"""Random changes of training images, composed from named albumentations steps."""

import os

# Otherwise albumentations asks a server for its newest version at every import.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
