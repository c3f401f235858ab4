"""The ensemble: several networks as one whose probability is their mean."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class Ensemble(nn.Module):
    """Averages the probabilities of networks that were trained separately.

    It keeps the contract of a single network, so everything that takes a network takes an ensemble. Its stride is the
    least common multiple of the members', so that every member can halve its input.

    Raises:
        ValueError: There is no member, or one of them has no integer `stride`.
    """

    def __init__(self, *, members: Sequence[nn.Module]) -> None:
        super().__init__()
        strides = [getattr(member, "stride", None) for member in members]
        whole = [stride for stride in strides if type(stride) is int and stride >= 1]
        if not whole or len(whole) < len(strides):
            raise ValueError(
                f"model.members have the strides {strides}; allowed: at least one network, each with a stride of 1 or "
                "more pixels"
            )
        self.stride = math.lcm(*whole)
        self.members = nn.ModuleList(members)

    def forward(self, image: Tensor) -> Tensor:
        """Computes the logits, (B, 1, H, W) float32, whose sigmoid is the mean of the members' probabilities.

        The mean is computed in logarithms, because far from outlines, where all members are certain, probabilities
        round to 0 or 1 in float32 and have no finite logit.
        """
        logits = torch.stack([member(image).float() for member in self.members])  # (members, B, 1, H, W)
        # log of the sum of sigmoid(logit), and of that of 1 - sigmoid(logit); the number of members cancels out.
        lesion = torch.logsumexp(-functional.softplus(-logits), dim=0)  # (B, 1, H, W)
        skin = torch.logsumexp(-functional.softplus(logits), dim=0)
        return lesion - skin
