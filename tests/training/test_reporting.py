from pathlib import Path
from typing import Any

from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.training.reporting import tested as facts_of
from lesionseg.training.reporting import weights_of

CHECKPOINT: dict[str, Any] = {
    "epoch": 11,
    "averaging_state": {},
    "lesionseg": {"config": {"monitor": "val/dice", "model": {"_target_": "UNet"}}},
}


def facts(postprocessing: Postprocessing, *, is_fitted: bool) -> dict[str, str]:
    return facts_of(
        Path("best.ckpt"),
        CHECKPOINT,
        data="Folder",
        part="test",
        images=1_600,
        split_sha256="0",
        postprocessing=postprocessing,
        is_fitted=is_fitted,
    )


def test_a_configured_decision_is_told() -> None:
    assert facts(Postprocessing(threshold=0.4), is_fitted=False)["decision"].endswith("is above 0.4")


def test_seeds_that_fitted_other_decisions_remain_one_method() -> None:
    first, second = (facts(Postprocessing(threshold=threshold), is_fitted=True) for threshold in (0.4, 0.5))
    assert first["decision"] == second["decision"] != facts(Postprocessing(threshold=0.4), is_fitted=False)["decision"]
    assert first["fitted decision"].endswith("is above 0.4")


def test_weights_and_images_are_told() -> None:
    told = facts(Postprocessing(threshold=0.4), is_fitted=False)
    assert told["weights"] == "epoch 12, the best by val/dice; averaged over training steps"
    assert (told["part"], told["chosen images"]) == ("test", "all 1,600 of the part")


def test_the_last_weights_and_an_ensembles_are_called_so() -> None:
    plain = {name: part for name, part in CHECKPOINT.items() if name != "averaging_state"}
    assert weights_of(Path("last.ckpt"), plain) == "epoch 12; not averaged"
    ensemble = CHECKPOINT | {"lesionseg": {"config": {"monitor": "val/dice", "model": {"members": [{}, {}, {}]}}}}
    assert weights_of(Path("ensemble.ckpt"), ensemble).startswith("those of 3 networks")
