"""Sensitivity, the clinic's name for recall."""

from lesionseg.metrics.recall import Recall


class Sensitivity(Recall):
    """`Recall` under the name that the ISIC challenge and clinical papers print beside specificity."""

    title = "sensitivity"
    meaning = "TP / (TP + FN), another name of recall."
