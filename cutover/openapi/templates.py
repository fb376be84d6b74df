"""Path templates, as in ``/studies/{id}``."""

from __future__ import annotations

import re

VARIABLE = re.compile(r"\{([^{}/]*)\}")


def nameless(template: str) -> str:
    """The template without its variables' names: two that differ in nothing else are one path."""
    return VARIABLE.sub("{}", template)
