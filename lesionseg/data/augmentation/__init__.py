"""Random changes of training images, composed from named albumentations steps."""

import os

# albumentations asks a server for its newest version at every import; a training run should not phone home or wait.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
