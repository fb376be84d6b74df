"""Move live traffic from an old backend to a new one behind a proxy, and back."""

__version__ = "0.1.0"
