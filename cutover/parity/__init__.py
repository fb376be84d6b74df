"""Old against new: the same requests to both, and what a client could notice.

The way of a request: ``run`` takes it from the list, ``rounds`` asks both sides through ``fetch`` and asks again on a
difference, ``work`` compares two ``answers`` where the event loop is not held, ``exchange`` goes through status,
``headers``, ``redirects`` and bodies, ``compare`` walks two documents by the plan's ``rules`` with ``pair`` and
``scalars``, and ``report`` counts the ``findings`` that ``told`` shows.
"""
