"""What the proxy saw: its access log, counted per backend and route. Loaded when a gate asks."""

DEFAULT = "default"
"""Stands in a gate's routes for all requests that match none of the others."""
