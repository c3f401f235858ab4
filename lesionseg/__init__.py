"""lesionseg: train, test and hand over skin-lesion segmentation models with Lightning and Hydra."""

__version__ = "0.1.0"
