"""Many HTTP clients at once, in processes of their own, that measure a backend and not themselves.

The worker's modules import nothing heavy, so that it is up in a moment.
"""
