"""From a command line to a verb: composing, and turning mistakes and faults into one message and an exit code."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

import lesionseg
from lesionseg.config.help_page import for_example, help_page, root_comments
from lesionseg.config.literal_words import literal_words
from lesionseg.config.near_keys import near_keys
from lesionseg.config.old_names import current_words, rename_targets
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.errors import FaultError, InputError, InterruptionError
from lesionseg.system.files import disk_fault_of, outlast_readers

WRONG_INPUT = 2
PLUGINS = "pip install 'lesionseg[sweep]' (Optuna, joblib), 'lesionseg[slurm]' (submitit) or 'lesionseg[ray]'"
FAULT = 1
FULL_ERROR = "HYDRA_FULL_ERROR"
HELP = ("--help", "-h")
SWEEP = ("--multirun", "-m")


def launch(
    config_name: str, verb: Callable[[DictConfig], Any], *, arguments: Callable[[Sequence[str]], list[str]] = list
) -> None:
    """Composes `conf/<config_name>.yaml` with the command line and runs the verb on it.

    A user's mistake ends with a message and exit code 2, a fault of the machine with 1, a signal with 128 and its
    number; `HYDRA_FULL_ERROR=1` shows a traceback instead. Anything else is a fault of the program and keeps its own.
    A reader of what is printed who goes away (`| head`) changes neither the work nor its exit code. `--help` and
    `--version` are answered without running it.

    Args:
        config_name: Of the root.
        verb: Gets the configuration.
        arguments: Completes the command line, before Hydra sees it; gets `literal_words`.
    """
    outlast_readers()
    if "--version" in sys.argv[1:]:
        print(f"lesionseg {lesionseg.__version__}")
        return
    register_schemas()
    wants_traceback = os.environ.get(FULL_ERROR) == "1"
    os.environ[FULL_ERROR] = "1"  # Hydra then raises what it would print and end with exit code 1

    def end(error: BaseException, code: int = WRONG_INPUT) -> NoReturn:
        if wants_traceback:
            raise error
        print(f"\nlesionseg: {explain(error)}", file=sys.stderr)
        sys.exit(code)

    def end_fault(error: OSError) -> NoReturn:
        fault = disk_fault_of(error)
        if fault is None:
            raise error
        end(fault, FAULT)

    composed = False

    def run(cfg: DictConfig) -> Any:
        nonlocal composed
        composed = True
        try:
            rename_targets(cfg)
            _check_given(config_name, cfg)
            return verb(cfg)
        except InputError as error:
            end(error)  # at once: what passes through Hydra gets its own lines around it
        except FaultError as error:
            end(error, FAULT)
        except OSError as error:
            end_fault(error)

    try:
        given = literal_words(current_words(config_name, sys.argv[1:]))
        sys.argv[1:] = current_words(config_name, arguments(given))  # a resumed sweep's own words may be old
    except InputError as error:
        end(error)
    try:
        if _asks_for_help(sys.argv[1:]):
            print(help_page(config_name, [word for word in sys.argv[1:] if word not in (*HELP, *SWEEP)]), end="")
            return
        hydra.main(config_path=str(CONF), config_name=config_name, version_base="1.3")(run)()
    except (HydraException, OmegaConfBaseException) as error:
        asks_for_more = isinstance(error, OverrideParseException) or "You must specify" in str(error)
        end(InputError(f"{explain(error)}\n{for_example(config_name)}") if asks_for_more else error)
    except ValueError as error:  # how Hydra refuses data=null
        if str(error).startswith("No trials are completed yet"):  # Optuna's words
            end(FaultError("every job of the sweep has failed; leaderboard.md in its folder says why"), FAULT)
        if composed:
            raise
        end(InputError(f"{error}. A whole group cannot be null; choose one of its files, see --help"))
    except OSError as error:  # of Hydra's own, which makes the run's folder
        end_fault(error)
    except InterruptionError as error:
        end(error, 128 + error.signal_number)
    except KeyboardInterrupt:
        print("\nlesionseg: stopped", file=sys.stderr)
        sys.exit(130)


def explain(error: BaseException) -> str:
    """Words an error for its user: what was found and, for an unknown key, what is allowed."""
    if re.search(r"Could not find 'hydra/(sweeper/optuna|launcher/(joblib|submitit_\w+|ray\w*))'", str(error)):
        return f"this needs a plugin of Hydra: {PLUGINS}"
    cause: BaseException | None = error
    seen: set[int] = set()  # causes may form a circle
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, ConfigAttributeError | ConfigKeyError) and cause.parent_node is not None:
            return _unknown_key(cause)
        cause = cause.__cause__
    if place := _folder_for_source(error):
        return place
    reason = f"\n{error.__cause__}" if isinstance(error, HydraException) and error.__cause__ else ""
    return f"{_without_worker(str(error))}{reason}"


def _without_worker(message: str) -> str:
    """Takes out what torch puts around an error of a data worker: its traceback, which is no user's business."""
    return message.rpartition(f"{InputError.__module__}.{InputError.__name__}: ")[2].rstrip()


def _unknown_key(error: ConfigAttributeError | ConfigKeyError) -> str:
    """Names the unknown key, the likely one and the allowed ones."""
    parent: Any = error.parent_node
    key = str(error.key)
    allowed = sorted(str(name) for name in parent) if isinstance(parent, DictConfig) else []
    place = error.full_key.rpartition(".")[0] if error.full_key else ""
    whole: Any = OmegaConf.to_container(parent._get_root(), resolve=False)
    likely = near_keys(key, place, whole)
    hint = f" Did you mean {' or '.join(likely)}?" if likely else ""
    where = f"'{place}'" if place else "the configuration"
    if not allowed:
        return f"there is no key '{key}' in {where}, which is empty. Choose one of its files too: {place}=NAME"
    return f"there is no key '{key}' in {where}.{hint}\nAllowed there: {', '.join(allowed)}"


def _asks_for_help(words: Sequence[str]) -> bool:
    """Whether the help page is wanted, and not Hydra's, which knows its other options."""
    options = {word for word in words if word.startswith("-")}
    return not options.isdisjoint(HELP) and options <= {*HELP, *SWEEP}


def _check_given(verb: str, cfg: DictConfig) -> None:
    """Makes sure that the keys without a default have been given.

    Raises:
        InputError: Says which have not, what they are, and an example.
    """
    missing = [str(key) for key in cfg if OmegaConf.is_missing(cfg, key)]
    if missing:
        comments = root_comments(verb)
        lines = [f"  {key}=...  {comments.get(key, '')}".rstrip() for key in missing]
        raise InputError("\n".join([f"lesionseg.{verb} needs:", *lines, for_example(verb)]))


def _folder_for_source(error: BaseException) -> str | None:
    """Says what to do where `data=` was given a folder in place of a kind of source."""
    missing = error.missing_cfg_file if isinstance(error, MissingConfigException) else None
    group, _, name = (missing or "").partition("/")
    if group != "data" or not Path(name).exists():
        return None
    return f"data={name} is a place; data names a kind of source. For images of your own: data=folder data.root={name}"
