"""Weighted sum of losses."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class CombinedLoss(nn.Module):
    r"""Add up named losses, each with its weight.

    $$ L = \sum_{name} w_{name} L_{name} $$

    Every loss of `conf/loss` is one of these, with one term or more, so that Hydra can merge several
    (`loss=[bce,lovasz]`), change one (`loss.weights.dice=0.5`) or drop one (`loss.terms.dice=null`). Whether the
    value is per image or pooled, and what an empty mask gives, is up to the terms.

    Example:
        >>> from lesionseg.loss.bce import BCELoss
        >>> from lesionseg.loss.lovasz import LovaszLoss
        >>> loss = CombinedLoss(
        ...     terms={"bce": BCELoss(positive_weight=1.0), "lovasz": LovaszLoss()}, weights={"bce": 1.0, "lovasz": 0.5}
        ... )
        >>> terms = loss.terms_of(torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4))  # to log each by its name
        >>> terms
        {'bce': tensor(0.6931), 'lovasz': tensor(1.)}
        >>> loss.total(terms)
        tensor(1.1931)
    """

    def __init__(self, *, terms: Mapping[str, nn.Module | None], weights: Mapping[str, float | None]) -> None:
        """Keep the terms that are not None.

        Args:
            terms: Losses by name, each (logits, mask) -> scalar; None drops the term and ignores its weight.
            weights: Finite factor from 0 for each name in `terms`. A weight of 0 computes the term for the log alone.

        Raises:
            ValueError: If a term is no loss, has no weight or a wrong one, a weight has no term, no term is left,
                or all weights are 0.
        """
        super().__init__()
        kept = {name: term for name, term in terms.items() if term is not None}
        _check_terms(kept)
        _check_names(terms, weights)
        self.weights = {name: _checked_weight(name, weights[name]) for name in kept}
        if not any(self.weights.values()):
            raise ValueError("CombinedLoss got weights that are all 0, which trains nothing; give one above 0.")
        self.terms = nn.ModuleDict(kept)

    def terms_of(self, logits: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Compute each term, unweighted, by name: scalars float32 with gradient.

        Args:
            logits: Unbounded scores (B, 1, H, W), any floating point dtype.
            mask: Ground truth (B, 1, H, W) in {0, 1}, as uint8, bool or floating point.
        """
        return {name: term(logits, mask) for name, term in self.terms.items()}

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Add up what `terms_of` returned, weighted, without computing anything twice; scalar float32."""
        return torch.stack([weight * terms[name] for name, weight in self.weights.items()]).sum()

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Score (B, 1, H, W) logits against a (B, 1, H, W) mask (see `terms_of`); scalar float32."""
        return self.total(self.terms_of(logits, mask))


def _check_terms(kept: Mapping[str, object]) -> None:
    """Raise ValueError unless there is a term and every one is a module."""
    if not kept:
        raise ValueError("CombinedLoss got no term to train on; choose a loss, for example loss=bce_dice.")
    for name, term in kept.items():
        if not isinstance(term, nn.Module):
            raise ValueError(
                f"CombinedLoss got terms.{name}={term!r} of type {type(term).__name__}; give a loss with a _target_, "
                f"or null to drop it. Its factor is weights.{name}."
            )


def _check_names(terms: Mapping[str, object], weights: Mapping[str, object]) -> None:
    """Raise ValueError unless the same names have a term and a weight."""
    if unweighted := sorted(set(terms) - set(weights)):
        raise ValueError(
            f"CombinedLoss has terms without a weight: {', '.join(unweighted)}; weights are given for "
            f"{', '.join(sorted(weights)) or 'none'}. Add {' and '.join(f'weights.{name}' for name in unweighted)}."
        )
    if unused := sorted(set(weights) - set(terms)):
        raise ValueError(
            f"CombinedLoss has weights without a term: {', '.join(unused)}; the terms are "
            f"{', '.join(sorted(terms))}. Correct the name, or add the term with loss=[...,{unused[0]}]."
        )


def _checked_weight(name: str, weight: float | None) -> float:
    """Return the weight as a float, or raise ValueError unless it is a finite number from 0."""
    if weight is None or not 0 <= weight < math.inf:
        raise ValueError(
            f"CombinedLoss got weights.{name}={weight}; give a finite number from 0, or terms.{name}=null to drop it."
        )
    return float(weight)
