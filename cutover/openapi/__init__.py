"""OpenAPI documents: where they are, what they say, examples of what they describe, and what changed between two."""

from __future__ import annotations

from cutover.openapi.document import Document
from cutover.openapi.errors import DocumentError
from cutover.openapi.operations import Body, Media, Operation, Parameter, Reply

__all__ = ["Body", "Document", "DocumentError", "Media", "Operation", "Parameter", "Reply"]
