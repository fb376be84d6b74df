"""Old against new: the same requests to both, and what a client could notice.

``gather`` draws requests from the ``sources`` that ``settings`` name.

The way of a request: ``run`` takes it from the list, ``rounds`` asks both sides through ``fetch`` and asks again on a
difference, ``work`` compares two ``answers`` where the event loop is not held, ``exchange`` goes through status,
``headers``, ``redirects`` and bodies, ``compare`` walks two documents by the plan's ``rules`` with ``pair`` and
``scalars``, and ``report`` counts the ``findings`` that ``told`` and ``text`` show. ``sequence`` goes that way with
each side's own ``ids``; ``learn`` asks old twice; ``coverage`` counts what of a document was compared.
"""
