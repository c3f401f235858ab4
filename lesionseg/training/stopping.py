"""The reason why a training ended before its last epoch."""

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping, Timer


def early_stop(trainer: Trainer) -> str | None:
    """Says after which epoch, why, and by which setting a training stopped early; None where it did not.

    Args:
        trainer: Whose `fit` has returned.
    """
    if trainer.max_epochs is None or trainer.current_epoch >= trainer.max_epochs:
        return None
    reasons = [reason for reason in (_patience(trainer), _time(trainer), _steps(trainer)) if reason]
    reason = reasons[0] if reasons else "A callback asked for it."
    return f"The training stopped early, after epoch {trainer.current_epoch} of {trainer.max_epochs}. {reason}"


def _patience(trainer: Trainer) -> str | None:
    """Words what an `EarlyStopping` callback has stopped for."""
    callback = trainer.early_stopping_callback
    if not isinstance(callback, EarlyStopping) or callback.stopping_reason_message is None:
        return None
    if callback.wait_count < callback.patience:  # a value that is not finite, or one beyond a threshold of the user's
        return callback.stopping_reason_message
    return (
        f"{callback.monitor} had not improved on {float(callback.best_score):.4f} for {callback.wait_count} "
        "validations. callbacks.early_stopping.patience sets how many are allowed; callbacks.early_stopping=null "
        "trains to the end."
    )


def _time(trainer: Trainer) -> str | None:
    """Words the end of `trainer.max_time`."""
    timers = [callback for callback in trainer.callbacks if isinstance(callback, Timer)]  # type: ignore[attr-defined]
    remaining = timers[0].time_remaining() if timers else None
    return "The time that trainer.max_time allows is over." if remaining is not None and remaining <= 0 else None


def _steps(trainer: Trainer) -> str | None:
    """Words the end of `trainer.max_steps`."""
    is_over = 0 <= trainer.max_steps <= trainer.global_step
    return f"trainer.max_steps allows {trainer.max_steps} optimizer steps." if is_over else None
