"""What methods are called."""

from typing import Any

from lesionseg.study.method import methods_of
from lesionseg.study.run_labels import labels_of
from lesionseg.study.scored_run import read_run


def labels(*folders: Any) -> list[str]:
    return labels_of(methods_of([read_run(folder) for folder in folders]))


def test_names_of_their_own_stay(write_run: Any) -> None:
    assert labels(write_run("a", [0.5], name="mine"), write_run("b", [0.5], name="theirs")) == ["mine", "theirs"]


def test_one_name_gets_the_value_that_differs(write_run: Any, training: Any) -> None:
    runs = [
        write_run(f"{width}", [0.5], name="unet", config=training(**{"model.base_channels": width}))
        for width in (16, 32)
    ]
    other = write_run("c", [0.5], name="other")
    assert labels(runs[0], other, runs[1]) == [
        "unet (model.base_channels=16)",
        "other",
        "unet (model.base_channels=32)",
    ]


def test_every_value_that_differs_is_named(write_run: Any, training: Any) -> None:
    runs = [
        write_run(
            f"{depth}", [0.5], name="unet", config=training(**{"model.depth": depth, "trainer.max_epochs": 10 * depth})
        )
        for depth in (3, 4)
    ]
    assert labels(*runs) == [
        "unet (model.depth=3, trainer.max_epochs=30)",
        "unet (model.depth=4, trainer.max_epochs=40)",
    ]


def test_of_two_classes_their_own_settings_are_not_named(write_run: Any, training: Any) -> None:
    other = training()
    other["model"] = {"_target_": "somewhere.Net", "width": 8}
    other["trainer"] = {"max_epochs": 20}
    runs = [write_run("a", [0.5], name="x", config=training()), write_run("b", [0.5], name="x", config=other)]
    assert labels(*runs) == ["x (model=UNet, trainer.max_epochs=12)", "x (model=Net, trainer.max_epochs=20)"]


def test_a_class_is_named_without_its_module(write_run: Any, training: Any) -> None:
    other = training(**{"model._target_": "somewhere.else.Net"})
    runs = [write_run("a", [0.5], name="x", config=training()), write_run("b", [0.5], name="x", config=other)]
    assert labels(*runs) == ["x (model=UNet)", "x (model=Net)"]


def test_without_a_value_the_folder_tells_apart_and_then_the_path(write_run: Any) -> None:
    assert labels(write_run("a", [0.5], name="x"), write_run("b", [0.5], name="x")) == ["x (a)", "x (b)"]
    deep = [write_run("1/c", [0.5], name="x"), write_run("2/c", [0.5], name="x")]
    assert labels(*deep) == [f"x ({folder})" for folder in deep]
