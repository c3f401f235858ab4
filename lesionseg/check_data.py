"""`python -m lesionseg.check_data`: the data doctor."""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from lesionseg.config.launch import launch

WOULD_BE_WRONG = 1  # exit code if something in the data would make results wrong


def check_data(cfg: DictConfig) -> dict[str, int]:
    """Examines a data source as described in `conf/check_data.yaml`; writes `check.json` and `check.html`.

    Returns:
        The number of findings of each severity; those in the repaired copy if `fix` asks for one.

    Raises:
        InputError: A setting is wrong, or the data are missing.
    """
    # Imported here because it takes seconds, and --help or a mistyped key should be answered at once.
    from omegaconf import OmegaConf

    from lesionseg.check import check
    from lesionseg.config.build import build
    from lesionseg.data.check.diagnosis import diagnose
    from lesionseg.data.check.repair import check_target, repair, repaired_source
    from lesionseg.report.data_check import print_repair, report_diagnosis

    check(cfg)
    settings: Any = OmegaConf.to_container(cfg.data, resolve=True)
    if cfg.fix is not None:
        check_target(Path(cfg.fix), settings)
    source = build("data", cfg.data)
    diagnosis = diagnose(source)
    report_diagnosis(diagnosis, settings, Path(cfg.run_dir))
    if cfg.fix is not None:
        done = repair(diagnosis, Path(cfg.fix))
        diagnosis = diagnose(repaired_source(done, source))
        print_repair(done, diagnosis)
    elif diagnosis.counts["error"] and any(examination.sample.files for examination in diagnosis.examinations):
        print("repair them    the same command with fix=FOLDER writes a copy without these errors", flush=True)
    return {str(severity): count for severity, count in diagnosis.counts.items()}


def main() -> None:
    """Runs the command line."""
    counts: dict[str, int] = {}
    launch("check_data", lambda cfg: counts.update(check_data(cfg)))
    sys.exit(WOULD_BE_WRONG if counts.get("error") else 0)


if __name__ == "__main__":
    main()
