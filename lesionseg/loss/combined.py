"""Weighted sum of losses."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class CombinedLoss(nn.Module):
    r"""Adds up named losses, each with its weight.

    $$ L = \sum_{name} w_{name} L_{name} $$

    Every loss of `conf/loss` is one of these, with one term or more, so that Hydra can merge several
    (`loss=[bce,lovasz]`), change one (`loss.weights.dice=0.5`) or drop one (`loss.terms.dice=null`).

    Args:
        terms: Losses by name, each (logits, mask) -> scalar; None drops the term and ignores its weight.
        weights: Finite factor from 0 for each name in `terms`. A weight of 0 computes the term for the log alone.

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
        super().__init__()
        kept = {name: term for name, term in terms.items() if term is not None}
        _check_terms(kept)
        _check_names(terms, weights)
        self.weights = {name: _checked_weight(name, weights[name]) for name in kept}
        if not any(self.weights.values()):
            raise ValueError("CombinedLoss got weights that are all 0, which trains nothing; give one above 0.")
        self.terms = nn.ModuleDict(kept)

    def terms_of(self, logits: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Computes each term by name, unweighted."""
        return {name: term(logits, mask) for name, term in self.terms.items()}

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Adds up what `terms_of` returned, weighted, without computing anything twice."""
        return torch.stack([weight * terms[name] for name, weight in self.weights.items()]).sum()

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Computes the weighted sum of all terms."""
        return self.total(self.terms_of(logits, mask))


def _check_terms(kept: Mapping[str, object]) -> None:
    if not kept:
        raise ValueError("CombinedLoss got no term to train on; choose a loss, for example loss=bce_dice.")
    for name, term in kept.items():
        if not isinstance(term, nn.Module):
            raise ValueError(
                f"CombinedLoss got terms.{name}={term!r} of type {type(term).__name__}; give a loss with a _target_, "
                f"or null to drop it. Its factor is weights.{name}."
            )


def _check_names(terms: Mapping[str, object], weights: Mapping[str, object]) -> None:
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
    if weight is None or not 0 <= weight < math.inf:
        raise ValueError(
            f"CombinedLoss got weights.{name}={weight}; give a finite number from 0, or terms.{name}=null to drop it."
        )
    return float(weight)
