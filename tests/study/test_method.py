"""Runs grouped into methods, and their labels."""

from typing import Any

import pytest

from lesionseg.errors import InputError
from lesionseg.metrics.definitions import definitions_of, standard_formulas
from lesionseg.study.method import Method, labels_of, methods_of
from lesionseg.study.scored_run import read_run

METRICS = definitions_of(standard_formulas())

JACCARD = list(METRICS).index("jaccard")


def grouped(*folders: Any) -> list[Method]:
    return methods_of([read_run(folder) for folder in folders])


def names(methods: list[Method]) -> list[list[str]]:
    return [[run.folder.name for run in method.runs] for method in methods]


def test_runs_that_differ_in_seed_name_and_folder_alone_are_one_method(write_run: Any, training: Any) -> None:
    paths = {"run_dir": "logs/2", "callbacks.checkpoint": {"dirpath": "logs/2"}, "trainer.default_root_dir": "logs/2"}
    methods = grouped(
        write_run("a", [0.5, 0.9], config=training()),
        write_run("b", [0.7, 0.7], config=training(seed=1, name="again", num_workers=8, **paths)),
        write_run("c", [0.1, 0.2], config=training(**{"model.depth": 5})),
    )
    assert names(methods) == [["a", "b"], ["c"]]
    assert methods[0].repetitions == 2
    assert methods[0].folds == 1
    assert methods[0].scores[JACCARD] == pytest.approx([0.6, 0.8])
    assert methods[0].repetition_means[:, JACCARD] == pytest.approx([0.7, 0.7])


@pytest.mark.parametrize(
    "change",
    [
        *({"trainer.max_epochs": 13}, {"min_train_batches": 9}, {"callbacks.ema": None}, {"data.root": "others"}),
        *({"trainer.max_steps": 50}, {"trainer.max_time": "00:00:10:00"}, {"trainer.limit_train_batches": 0.5}),
        *({"trainer.limit_val_batches": 4}, {"trainer.check_val_every_n_epoch": 2}, {"monitor": "val/loss"}),
    ],
    ids=str,
)
def test_what_changes_the_training_makes_another_method(write_run: Any, training: Any, change: Any) -> None:
    first = write_run("a", [0.5], config=training())
    assert names(grouped(first, write_run("b", [0.5], config=training(seed=1, **change)))) == [["a"], ["b"]]


def test_one_checkpoint_decided_in_two_ways_is_two_methods(write_run: Any, training: Any) -> None:
    plain = write_run("a", [0.5], config=training(), facts={"decision": "probability above 0.5"})
    mirrored = write_run("b", [0.6], config=training(seed=1), facts={"decision": "mean of 4 mirrored images"})
    assert names(grouped(plain, mirrored)) == [["a"], ["b"]]


def test_masks_of_unknown_origin_are_each_a_method(write_run: Any) -> None:
    assert names(grouped(write_run("a", [0.5]), write_run("b", [0.6]))) == [["a"], ["b"]]


def test_runs_that_agree_even_in_the_seed_are_no_repetitions(write_run: Any, training: Any) -> None:
    folders = [write_run("a", [0.5], config=training()), write_run("b", [0.6], config=training())]
    assert names(grouped(*folders)) == [["a"], ["b"]]


def test_folds_are_put_together(write_run: Any, training: Any) -> None:
    first = write_run("a", [0.9, 0.5], ids=["x", "z"], config=training(**{"data.fold": 0}))
    second = write_run("b", [0.7], ids=["y"], config=training(**{"data.fold": 1}))
    (method,) = grouped(first, second)
    assert (method.folds, method.repetitions) == (2, 1)
    assert list(method.targets) == ["x", "y", "z"]
    assert method.scores[JACCARD].tolist() == [0.9, 0.7, 0.5]


def test_folds_of_several_seeds_are_repetitions_of_folds(write_run: Any, training: Any) -> None:
    folders = [
        write_run(f"{seed}{fold}", [value], ids=[f"i{fold}"], config=training(seed=seed, **{"data.fold": fold}))
        for seed, fold, value in [(0, 0, 0.2), (0, 1, 0.4), (1, 0, 0.6), (1, 1, 0.8)]
    ]
    (method,) = grouped(*folders)
    assert (method.folds, method.repetitions) == (2, 2)
    assert method.scores[JACCARD] == pytest.approx([0.4, 0.6])
    assert method.repetition_means[:, JACCARD] == pytest.approx([0.3, 0.7])


def test_a_repeated_cross_validation_may_divide_the_images_otherwise(write_run: Any, training: Any) -> None:
    parts = {0: (["x"], ["y", "z"]), 1: (["x", "y"], ["z"])}
    folders = [
        write_run(
            f"{split}{fold}",
            [0.5] * len(ids),
            ids=ids,
            config=training(**{"data.fold": fold, "data.split_seed": split}),
        )
        for split, folds in parts.items()
        for fold, ids in enumerate(folds)
    ]
    (method,) = grouped(*folders)
    assert (method.folds, method.repetitions, len(method.targets)) == (2, 2, 3)


def test_models_of_folds_scored_on_one_test_set_are_repetitions(write_run: Any, training: Any) -> None:
    folders = [write_run(f"{fold}", [0.5, 0.5], config=training(**{"data.fold": fold})) for fold in range(3)]
    (method,) = grouped(*folders)
    assert (method.folds, method.repetitions) == (1, 3)


def test_images_that_overlap_in_part_are_refused(write_run: Any, training: Any) -> None:
    first = write_run("a", [0.5, 0.5], ids=["x", "y"], config=training())
    second = write_run("b", [0.5, 0.5], ids=["y", "z"], config=training(seed=1))
    with pytest.raises(InputError, match="overlap in part") as error:
        grouped(first, second)
    assert str(first) in str(error.value)
    assert str(second) in str(error.value)


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
