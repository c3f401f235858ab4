from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from lesionseg.check import check
from lesionseg.config.build import target_nodes
from lesionseg.config.schema import CONF
from lesionseg.errors import InputError

Compose = Callable[[Sequence[str]], DictConfig]

FAULTS = {
    "a seed that NumPy cannot take": (["seed=4294967296"], "seed is 4294967296; allowed: at most 4294967295"),
    "an image whose checkpoint could not be opened": (["image_size=5000"], "image_size is 5000; allowed: at most 4096"),
    "a batch of everything": (["batch_size=100000000"], "batch_size is 100000000; allowed: at most 100000"),
    "more workers than the machine can use": (["num_workers=900"], "num_workers is 900, but this machine"),
    "no number": (["optimizer.lr=nan"], "optimizer.lr is nan; allowed: a number"),
    "no number in a list": (["segmenter.std=[1.0,nan,1.0]"], "segmenter.std[1] is nan; allowed: a number"),
    "no epoch": (["trainer.max_epochs=0"], "trainer.max_epochs is 0"),
    "a negative number of epochs": (["trainer.max_epochs=-5"], "trainer.max_epochs is -5; allowed: at least -1"),
    "a training without an end": (["trainer.max_epochs=-1"], "the training has no end"),
    "a negative number of batches": (["trainer.limit_train_batches=-1"], "limit_train_batches is -1; allowed"),
    "a share above one": (["trainer.limit_val_batches=1.5"], "limit_val_batches is 1.5; allowed"),
    "no validation": (["trainer.limit_val_batches=0"], "is 0, but callbacks.checkpoint, callbacks.early_stopping"),
    "no validation for the plateau": (["trainer.limit_val_batches=0", "scheduler=plateau"], "scheduler"),
    "a validation after the end": (["trainer.check_val_every_n_epoch=1000"], "nothing would ever be validated"),
    "a validation every zero epochs": (["trainer.check_val_every_n_epoch=0"], "is 0; allowed: at least 1"),
    "no batch a step": (["trainer.accumulate_grad_batches=0"], "accumulate_grad_batches is 0; allowed: at least 1"),
    "a negative norm": (["trainer.gradient_clip_val=-1"], "gradient_clip_val is -1; allowed: at least 0"),
    "a negative patience": (["callbacks.early_stopping.patience=-1"], "patience is -1; allowed: at least 0"),
    "a negative warm-up": (["scheduler.warmup_epochs=-1"], "warmup_epochs is -1; allowed: at least 0"),
    "a rate that ends above its highest": (["scheduler=cosine", "scheduler.final_factor=2"], "allowed: at most 1"),
    "a rate that falls to nothing": (["scheduler=onecycle", "scheduler.final_factor=0"], "final_factor is 0; allowed"),
    "a negative power": (["scheduler=poly", "scheduler.power=-1"], "power is -1; allowed: at least 0"),
    "a factor of nothing": (["scheduler=plateau", "scheduler.factor=0"], "factor is 0; allowed: above 0"),
    "a batch of nothing": (["batch_size=0"], "batch_size is 0; allowed: at least 1"),
    "a negative number of workers": (["num_workers=-1"], "num_workers is -1"),
    "a negative seed": (["seed=-1"], "seed is -1"),
    "an image too small for anybody": (["image_size=20"], "image_size is 20; allowed: at least 32"),
    "epochs without a batch": (["min_train_batches=0"], "min_train_batches is 0; allowed: at least 1"),
    "an image too small for the model": (["image_size=33", "model=unet", "model.depth=6"], "allowed: at least 128"),
    "a mode that is none": (["monitor_mode=highest"], "allowed: min, max"),
    "a monitor that is not logged": (["monitor=val/dcie"], "val/dice"),
    "a monitor whose metric was taken out": (["metrics.dice=null"], "monitor is val/dice"),
    "a word for a number": (["model.depth=deep"], "depth is 'deep'"),
    "an option that does not exist": (["model.normalisation=batchnorm"], "'batch', 'group', 'instance' or 'none'"),
    "a width of nothing": (["model.base_channels=0"], "base_channels is 0; allowed: 1 to 512"),
    "a stem stride that is none": (["model.stem_stride=3"], "stem_stride is 3"),
    "a dropout above one": (["model.dropout=1.5"], "dropout is 1.5"),
    "an unknown argument of a step": (
        ["augmentation=full", "+augmentation.steps.blur.prob=0.9"],
        "no argument prob; allowed: blur_limit",
    ),
    "an unknown argument of a partial": (["+optimizer.momentum=0.9"], "no argument momentum"),
    "an unknown argument of a nested part": (["+loss.terms.dice.power=2"], "no argument power"),
    "a target that does not exist": (["model._target_=lesionseg.model.unet.VNet"], "VNet"),
    "a missing folder": (["data=folder", "data.root=/no/such/folder"], "/no/such/folder"),
    "a missing official folder": (["data=isic2017", "data.root=/no/such/folder"], "challenge.isic-archive.com"),
    "a split that is none": (["data.split=officail"], "data.split is officail; allowed: official, hold_out"),
    "nothing to validate on": (["data.validation_share=0"], "data.validation_share is 0"),
    "shares above one": (["data.test_share=0.9"], "both together below 1"),
    "a single fold": (["data.folds=1"], "data.folds is 1; allowed: at least 2"),
    "a fold that does not exist": (["data.fold=5"], "data.fold is 5; allowed: 0 to 4"),
    "a fold of a manifest": (["data.split=mine.json", "data.fold=0"], "is a manifest, which has no folds"),
    "a cache that is none": (["data.cache=ram"], "cache is 'ram'"),
    "drawn images on the disk": (["data.cache=disk"], "allowed: memory, none"),
    "another policy for leaks": (["data.leaks=ignore"], "leaks is 'ignore'"),
    "no loss at all": (["loss.terms.bce=null", "loss.terms.dice=null"], "loss"),
    "a learning rate below zero": (["optimizer.lr=-1"], "optimizer.lr is -1; allowed: above 0"),
    "a factor that raises the rate": (["scheduler=plateau", "scheduler.factor=2"], "scheduler: Factor should be < 1.0"),
    "a number that nothing needs": (
        ["callbacks.sample_masks.count=99999999999999999999"],
        "allowed: at most 4294967295",
    ),
    "a number without an end": (["optimizer.weight_decay=inf"], "optimizer.weight_decay is inf; allowed: at most"),
    "a huge weight": (["loss.weights.bce=1e30"], "loss.weights.bce is 1e+30; allowed: at most 4294967295"),
    "weights of nothing": (["loss.weights.bce=0", "loss.weights.dice=0"], "weights that are all 0"),
    "a rate of nothing": (["optimizer.lr=0"], "optimizer.lr is 0; allowed: above 0"),
    "images scaled to nothing": (
        ["augmentation.steps.shift_scale_rotate.scale=[0,1]"],
        "scale[0] is 0; allowed: above 0",
    ),
    "a patience with worse results": (
        ["callbacks.early_stopping.min_delta=-1"],
        "min_delta is -1; allowed: at least 0",
    ),
    "a split that no seed cuts": (["data.split_seed=-1"], "data.split_seed is -1; allowed: 0 to 4294967295"),
    "images that no seed draws": (["data.seed=-1"], "data.seed is -1; allowed: 0 to 4294967295"),
    "more folds than make sense": (["data.folds=1000000"], "data.folds is 1000000; allowed: at most 1000"),
    "no device": (["trainer.devices=0"], "trainer.devices is 0; allowed on a CPU: 1 to"),
    "all CPUs": (["trainer.devices=-1"], "trainer.devices is -1; allowed on a CPU: 1 to"),
    "a device in words": (["trainer.devices=a"], "trainer.devices is 'a'; allowed on a CPU: 1 to"),
    "a list of no device": (["trainer.devices=[]"], "trainer.devices is []; allowed on a CPU: 1 to"),
    "more processes than any CPU runs": (["trainer.devices=9999"], "trainer.devices is 9999; allowed on a CPU: 1 to"),
    "an accelerator that is none": (["trainer.accelerator=foo"], "trainer: You selected an invalid accelerator name"),
    "a time limit in words": (["trainer.max_time=soon"], "trainer.max_time is 'soon'; allowed: days:hours"),
    "a time limit of nothing": (["trainer.max_time='00:00:00:00'"], "trainer.max_time is '00:00:00:00'; allowed"),
    "a time limit that is a number": (["trainer.max_time=60"], "trainer.max_time is 60; allowed: days:hours"),
    "a strategy that is none": (["+trainer.strategy=foo"], "trainer: You selected an invalid strategy name"),
    "a run in several machines of none": (["+trainer.num_nodes=0"], "trainer: `num_nodes` must be a positive integer"),
    "no training at all": (["trainer.limit_train_batches=0"], "limit_train_batches is 0, which trains nothing"),
    "an unknown precision": (["trainer.precision=bf17"], "precision is 'bf17'"),
    "a threshold that is none": (["segmenter.threshold=1"], "segmenter.threshold is 1; allowed: between 0 and 1"),
    "a threshold in words": (["segmenter.threshold=half"], "segmenter: "),
    "views that are none": (["segmenter.views=all"], "segmenter.views is all; allowed: none, flips, turns, sizes"),
    "an answer that is none": (["segmenter.fill_holes=maybe"], "segmenter.fill_holes is maybe; allowed: true, false"),
    "a threshold that cannot be tried": (["postprocessing.thresholds=[0.5,1]"], "postprocessing.thresholds has 1"),
    "views that cannot be tried": (["postprocessing.views=[flip]"], "'flips', 'turns' or 'sizes'"),
    "an unknown setting of the decision": (["+postprocessing.tries=3"], "no argument tries"),
    "a gain below zero": (["postprocessing.min_gain=-1"], "postprocessing.min_gain is -1"),
    "a step that is no transform": (
        ["augmentation=full", "augmentation.steps.blur._target_=torch.nn.ReLU"],
        "torch.nn",
    ),
}


@pytest.mark.parametrize(("overrides", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_named(compose: Compose, overrides: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        check(compose(overrides))
    assert message in str(caught.value)


def test_a_gpu_that_is_not_there_is_told_before_any_work(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(InputError, match=r"trainer.accelerator is gpu .*give trainer=cpu"):
        check(compose(["trainer=gpu"]))


def test_all_faults_are_named_at_once(compose: Compose) -> None:
    with pytest.raises(InputError) as caught:
        check(compose(["batch_size=0", "model.depth=deep", "+optimizer.momentum=0.9"]))
    assert all(word in str(caught.value) for word in ("batch_size", "depth", "momentum"))


def yamls(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


# A data source needs its files laid out: tests/data/test_source.py checks each.
GROUPS = (
    "augmentation",
    "model",
    "loss",
    "optimizer",
    "scheduler",
    "callbacks",
    "logger",
    "trainer",
    "experiment",
)


NEEDED_FOLDERS = (
    "images",
    "masks",
    "ISBI2016_ISIC_Part1_Training_Data",
    "ISBI2016_ISIC_Part1_Training_GroundTruth",
    "ISIC2018_Task1-2_Training_Input",
    "ISIC2018_Task1_Training_GroundTruth",
    "ISIC2018_Task1-2_Validation_Input",
    "ISIC2018_Task1_Validation_GroundTruth",
    "HAM10000_images_part_1",
    "HAM10000_segmentations_lesion_tschandl",
    "PH2 Dataset images/IMD002",
)


@pytest.fixture(scope="module")
def any_root(tmp_path_factory: pytest.TempPathFactory, isic2017_root: Path) -> Path:
    """One folder with what every source looks for before it is asked for samples."""
    root = tmp_path_factory.mktemp("any")
    for name in (*NEEDED_FOLDERS, *(path.name for path in isic2017_root.iterdir())):
        (root / name).mkdir(parents=True)
    for kind in ("images", "masks"):
        Image.new("L", (4, 4)).save(root / kind / "a.png")
    (root / "HAM10000_metadata").write_text("lesion_id,image_id\n")
    return root


@pytest.mark.parametrize(("group", "name"), [(group, name) for group in GROUPS for name in yamls(group)])
def test_every_yaml_passes(
    compose: Compose, any_root: Path, monkeypatch: pytest.MonkeyPatch, group: str, name: str
) -> None:
    for variable in ("SLURM_NNODES", "SLURM_NTASKS_PER_NODE"):  # trainer=slurm asks for them
        monkeypatch.setenv(variable, "1")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 8)  # trainer=gpu and its like ask for some
    if (group, name) == ("model", "smp"):
        pytest.importorskip("segmentation_models_pytorch", reason="needs the extra lesionseg[smp]")
    cfg = compose([f"{group}={name}"])
    for path, node in target_nodes(OmegaConf.to_container(cfg.data, throw_on_missing=False), ""):
        if "root" in node:
            OmegaConf.update(cfg.data, f"{path}.root".lstrip("."), str(any_root))
    if group == "callbacks":
        cfg.metrics = OmegaConf.create(cfg.metrics)
    check(cfg)


def test_null_takes_a_named_part_out(compose: Compose) -> None:
    check(
        compose(["augmentation.steps.colour=null", "callbacks.ema=null", "loss.terms.dice=null", "metrics.recall=null"])
    )


def test_a_batch_size_is_a_number_or_auto(compose: Compose) -> None:
    check(compose(["batch_size=auto"]))
    with pytest.raises(InputError, match="batch_size is many; allowed: a number from 1, or auto"):
        check(compose(["batch_size=many"]))
