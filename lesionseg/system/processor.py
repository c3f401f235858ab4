"""What the CPU is called."""

import platform
from pathlib import Path


def processor_name() -> str:
    """Names the CPU for people; empty where the system does not tell. Linux tells it only in /proc/cpuinfo."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
