"""One visit of the doctor: from a configuration to tables, `check.json` and `check.html`."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lesionseg.build import build
from lesionseg.check import check
from lesionseg.doctor.diagnosis import diagnose
from lesionseg.doctor.kinds import SEVERITIES
from lesionseg.doctor.page import write_page
from lesionseg.doctor.summary import part_rows, print_diagnosis
from lesionseg.environment import code_version


def visit(cfg: DictConfig) -> dict[str, int]:
    """Examines `cfg.data`, prints what was found and writes it below `cfg.run_dir`.

    Returns:
        The number of findings of each severity.
    """
    check(cfg)
    diagnosis = diagnose(build("data", cfg.data))
    print_diagnosis(diagnosis)
    settings: dict[str, Any] = OmegaConf.to_container(cfg.data, resolve=True)  # type: ignore[assignment]
    name = str(settings["_target_"]).rpartition(".")[2]
    facts = {
        "root": settings.get("root", "-"),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "lesionseg": code_version()["version"],
        **({"found": "; ".join(diagnosis.layout)} if diagnosis.layout else {}),
    }
    counts: dict[str, int] = {severity: diagnosis.count(severity) for severity in SEVERITIES}
    folder = Path(cfg.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    findings = [finding.to_plain() for finding in diagnosis.findings]
    report = {"data": settings, **facts, "parts": part_rows(diagnosis), "counts": counts, "findings": findings}
    (folder / "check.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    write_page(diagnosis, folder / "check.html", title=name, facts=facts)
    print(f"with pictures  {folder / 'check.html'}\nas data        {folder / 'check.json'}", flush=True)
    return counts
