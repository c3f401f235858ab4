import math

import pytest
import torch
from torch import Tensor, nn

from lesionseg.loss.combined import CombinedLoss


class Constant(nn.Module):
    """A loss of a known value that counts how often it is computed."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value
        self.calls = 0

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        self.calls += 1
        return logits.float().mean() * 0 + self.value


LOGITS, MASK = torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)


def test_adds_up_the_terms_times_their_weights() -> None:
    loss = CombinedLoss(terms={"bce": Constant(3), "dice": Constant(5)}, weights={"dice": 0.5, "bce": 2})
    assert loss(LOGITS, MASK).item() == 2 * 3 + 0.5 * 5


def test_terms_come_by_name_and_unweighted() -> None:
    loss = CombinedLoss(terms={"bce": Constant(3), "dice": Constant(5)}, weights={"bce": 2, "dice": 0.5})
    assert {name: value.item() for name, value in loss.terms_of(LOGITS, MASK).items()} == {"bce": 3, "dice": 5}


def test_the_total_of_the_terms_computes_nothing_twice() -> None:
    term = Constant(3)
    loss = CombinedLoss(terms={"bce": term}, weights={"bce": 2})
    assert loss.total(loss.terms_of(LOGITS, MASK)).item() == 6
    assert term.calls == 1


def test_a_term_set_to_null_is_dropped_with_its_weight() -> None:
    loss = CombinedLoss(terms={"bce": Constant(3), "dice": None}, weights={"bce": 2, "dice": 7})
    assert loss(LOGITS, MASK).item() == 6
    assert list(loss.terms_of(LOGITS, MASK)) == ["bce"]


def test_a_weight_of_zero_still_shows_the_term() -> None:
    loss = CombinedLoss(terms={"bce": Constant(3), "dice": Constant(5)}, weights={"bce": 1, "dice": 0})
    assert loss(LOGITS, MASK).item() == 3
    assert loss.terms_of(LOGITS, MASK)["dice"].item() == 5


def test_terms_move_with_the_model() -> None:
    term = nn.Linear(1, 1)
    assert term in CombinedLoss(terms={"learned": term}, weights={"learned": 1}).modules()


@pytest.mark.parametrize(
    ("terms", "weights", "message"),
    [
        ({}, {}, "no term"),
        ({"bce": None}, {"bce": 1}, "no term"),
        ({"bce": Constant(1)}, {}, r"without a weight: bce; .* none\. Add weights\.bce"),
        ({"bce": Constant(1), "dice": Constant(1)}, {"bce": 1}, "without a weight: dice"),
        ({"bce": Constant(1)}, {"bce": 1, "dise": 1}, "without a term: dise; the terms are bce"),
        ({"bce": 0.5}, {"bce": 1}, r"terms\.bce=0\.5 of type float.*weights\.bce"),
        ({"bce": Constant(1)}, {"bce": -1}, r"weights\.bce=-1"),
        ({"bce": Constant(1)}, {"bce": math.nan}, r"weights\.bce=nan"),
        ({"bce": Constant(1)}, {"bce": None}, r"weights\.bce=None.*terms\.bce=null"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(
    terms: dict[str, nn.Module | None], weights: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        CombinedLoss(terms=terms, weights=weights)
