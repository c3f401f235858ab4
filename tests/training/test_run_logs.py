"""What loggers are told of a run; that TensorBoard shows it is tested in tests/test_train.py."""

from typing import Any

from lesionseg.training.run_logs import hyperparameters, purged


def test_the_hparams_tab_names_classes_and_settings() -> None:
    config = {
        **dict.fromkeys(("seed", "image_size", "batch_size", "data", "loss", "scheduler"), 1),
        "model": {"_target_": "lesionseg.model.unet.UNet", "depth": 4},
        "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True, "betas": [0.9, 0.999]},
        "run_dir": "elsewhere",
    }
    table = hyperparameters(config)
    assert (table["model"], table["model/depth"]) == ("UNet", 4)
    assert (table["optimizer"], table["optimizer/betas"]) == ("Adam", "[0.9, 0.999]")
    assert not {"run_dir", "optimizer/_partial_"} & set(table)


def test_tensorboard_forgets_what_a_resumed_run_logs_again(compose: Any) -> None:
    cfg = compose(["logger=[tensorboard,csv]"])
    changed = purged(cfg, 7)
    assert changed.logger.tensorboard.purge_step == 7
    assert "purge_step" not in cfg.logger.tensorboard
    assert "purge_step" not in changed.logger.csv
