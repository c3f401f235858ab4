"""Pairs of settings that are allowed each, but not together."""

from collections.abc import Iterator, Mapping
from typing import Any

from lesionseg.arguments import target_nodes


def pair_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """Names settings of a training that are allowed each, but not together."""
    trainer = plain.get("trainer", {})
    epochs, every = trainer.get("max_epochs"), trainer.get("check_val_every_n_epoch") or 1
    if epochs == 0:
        yield "trainer.max_epochs is 0, which trains nothing; allowed: at least 1"
    if trainer.get("limit_train_batches") == 0:
        yield "trainer.limit_train_batches is 0, which trains nothing; allowed: at least 1, a share, or null for all"
    if epochs == -1 and trainer.get("max_steps") in (None, -1):
        yield "trainer.max_epochs is -1, and trainer.max_steps is not set: the training has no end; set one of them"
    if trainer.get("fast_dev_run"):
        return
    if epochs is not None and 0 < epochs < every:
        yield (
            f"trainer.check_val_every_n_epoch is {every}, and trainer.max_epochs {epochs}: nothing would ever be "
            f"validated; allowed: at most {epochs}"
        )
    watching = [path for path, node in target_nodes(plain, "") if node.get("monitor") is not None]
    if trainer.get("limit_val_batches") == 0 and watching:
        yield (
            f"trainer.limit_val_batches is 0, but {', '.join(watching)} need what the validation measures; allowed: at "
            "least 1. To train without a validation, set those callbacks to null and take another scheduler"
        )


def scoring_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """Names settings of an evaluation that leave nothing to score."""
    if plain.get("trainer", {}).get("limit_test_batches") == 0:
        yield "trainer.limit_test_batches is 0, which scores nothing; allowed: at least 1, a share, or null for all"
