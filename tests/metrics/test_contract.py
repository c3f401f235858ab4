"""What every metric must do, whoever wrote it: add `conf/metrics/mine.yaml` and it is tested here."""

import copy
import doctest
import importlib
import pickle
import pkgutil
import re
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor
from torchmetrics import Metric, MetricCollection

import lesionseg.metrics
from lesionseg.metrics.formula_metric import FormulaMetric, metric_collection

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "metrics").glob("*.yaml"))
MODULES = [module.name for module in pkgutil.iter_modules(lesionseg.metrics.__path__, "lesionseg.metrics.")]
SIZES = [(8, 9), (5, 30), (1, 1), (16, 16)]
Pair = tuple[Tensor, Tensor]


def build(name: str) -> dict[str, Metric]:
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        config = compose(overrides=[f"+metrics={name}"])
    return dict(metric_collection(instantiate(config.metrics)).items(copy_state=False))


METRICS = {key: metric for name in NAMES for key, metric in build(name).items()}


COUNTING = {key: metric for key, metric in METRICS.items() if isinstance(metric, FormulaMetric)}


@pytest.fixture(params=METRICS)
def metric(request: pytest.FixtureRequest) -> Metric:
    return copy.deepcopy(METRICS[request.param])


@pytest.fixture(params=COUNTING)
def counting(request: pytest.FixtureRequest) -> FormulaMetric:
    """A metric on the shared counts; one of another kind (a surface distance, say) keeps a state of its own."""
    return copy.deepcopy(COUNTING[request.param])


def pairs() -> list[Pair]:
    """Single images of different sizes, as the test phase scores them."""
    generator = torch.Generator().manual_seed(0)
    masks = [torch.rand(2, 1, 1, *size, generator=generator) < 0.4 for size in SIZES]
    return [(prediction, target) for prediction, target in masks]


def scored(metric: Metric, images: list[Pair]) -> Tensor:
    for prediction, target in images:
        metric.update(prediction, target)
    return metric.compute()


def test_update_takes_bool_and_uint8_and_compute_is_finite(metric: Metric) -> None:
    images = pairs()
    value = scored(copy.deepcopy(metric), images)
    assert value.isfinite().all()
    assert torch.equal(value, scored(metric, [(p.byte(), g.byte()) for p, g in images]))


def test_scores_are_scalars_between_zero_and_one(metric: Metric) -> None:
    value = scored(metric, pairs())
    if metric.higher_is_better is not None:  # a matrix is no score
        assert value.shape == ()
        assert 0 <= value <= 1


def test_a_perfect_prediction_scores_one(metric: Metric) -> None:
    value = scored(metric, [(target, target) for _, target in pairs()])
    if metric.higher_is_better:
        assert value.item() == 1.0


def test_empty_and_full_masks_have_a_value(metric: Metric) -> None:
    empty, full = torch.zeros(1, 1, 4, 4).bool(), torch.ones(1, 1, 4, 4).bool()
    for images in ([(empty, empty)], [(empty, full)], [(full, empty)], [(full, full)]):
        metric.reset()
        assert scored(metric, images).isfinite().all()
    metric.reset()
    value = scored(metric, [(empty, empty)])
    if metric.higher_is_better:
        assert value.item() == 1.0


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_nothing_seen_is_no_score(metric: Metric) -> None:
    value = metric.compute()
    assert (value == 0).all() if metric.higher_is_better is None else value.isnan().all()


def test_a_batch_is_its_images(metric: Metric) -> None:
    prediction, target = torch.rand(2, 5, 1, 8, 9, generator=torch.Generator().manual_seed(0)) < 0.4
    whole = scored(copy.deepcopy(metric), [(prediction, target)])
    one_by_one = scored(metric, list(zip(prediction.split(1), target.split(1), strict=True)))
    torch.testing.assert_close(whole, one_by_one)


def test_two_halves_merged_are_the_whole(metric: Metric) -> None:
    images = pairs()
    whole, other = scored(copy.deepcopy(metric), images), copy.deepcopy(metric)
    scored(metric, images[:1])
    scored(other, images[1:])
    metric.merge_state(other)
    metric._computed = None  # merging leaves the value of before in the cache
    torch.testing.assert_close(metric.compute(), whole)


def test_states_of_two_processes_concatenated_are_the_whole(counting: FormulaMetric) -> None:
    """What torchmetrics does under DDP: gather the lists, concatenate, compute."""
    images = pairs()
    whole, other = scored(copy.deepcopy(counting), images), copy.deepcopy(counting)
    for half, part in ((counting, images[:1]), (other, images[1:])):
        for prediction, target in part:
            half.update(prediction, target)
    counting.counts = torch.cat([*counting.counts, *other.counts])
    torch.testing.assert_close(counting.compute(), whole)


def test_per_image_has_one_score_for_each_image_seen(counting: FormulaMetric) -> None:
    scored(counting, pairs())
    assert counting.per_image().shape[-1] == len(SIZES)


def test_forward_gives_the_batch_and_adds_to_the_whole(metric: Metric) -> None:
    images = pairs()
    batch = scored(copy.deepcopy(metric), images[:1])
    torch.testing.assert_close(metric(*images[0]), batch)
    torch.testing.assert_close(metric.compute(), batch)


def test_reset_forgets(metric: Metric) -> None:
    images = pairs()
    fresh = scored(copy.deepcopy(metric), images[1:])
    scored(metric, images[:1])
    metric.reset()
    torch.testing.assert_close(scored(metric, images[1:]), fresh)


def test_masks_are_left_alone(metric: Metric) -> None:
    prediction, target = (mask.byte() for mask in pairs()[0])
    before = prediction.clone(), target.clone()
    metric.update(prediction, target)
    assert torch.equal(prediction, before[0])
    assert torch.equal(target, before[1])


def test_it_survives_pickling_and_leaves_no_state_in_checkpoints(metric: Metric) -> None:
    value = scored(metric, pairs())
    assert torch.equal(pickle.loads(pickle.dumps(metric)).compute(), value)
    assert metric.state_dict() == {}


def test_a_collection_of_all_counts_once_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    collection = MetricCollection(copy.deepcopy(COUNTING))
    collection.update(*pairs()[0])
    assert len(collection.compute_groups) == 1
    calls = []
    update = FormulaMetric.update
    for member in collection.values(copy_state=False):
        monkeypatch.setattr(member, "update", lambda p, g, member=member: calls.append(1) or update(member, p, g))
    collection.update(*pairs()[1])
    assert len(calls) == 1


def test_a_collection_gives_what_each_metric_gives_alone() -> None:
    images, collection = pairs(), MetricCollection(copy.deepcopy(METRICS))
    for prediction, target in images:
        collection.update(prediction, target)
    alone = {name: scored(copy.deepcopy(metric), images) for name, metric in METRICS.items()}
    torch.testing.assert_close(collection.compute(), alone)
    for name in COUNTING:
        assert collection[name].per_image().shape[-1] == len(SIZES)


def test_default_has_every_metric_with_a_class_and_a_yaml_of_one_name() -> None:
    targets = [
        OmegaConf.load(CONF / "metrics" / f"{name}.yaml")[name]["_target_"] for name in NAMES if name != "default"
    ]
    classes = {re.sub(r"(?<!^)(?=[A-Z])", "_", target.rpartition(".")[2]).lower() for target in targets}
    assert classes == set(NAMES) - {"default"} == set(build("default"))


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0
