"""Whether a training takes one process or several."""

from omegaconf import DictConfig


def takes_processes(cfg: DictConfig) -> bool:
    """Whether the trainer starts, or is one of, several processes, as a strategy or a number of devices says."""
    return str(cfg.trainer.get("strategy") or "auto") != "auto" or str(cfg.trainer.devices) not in ("1", "auto")
