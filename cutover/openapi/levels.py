"""What a change between two documents means for those who are clients of the first."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """``breaking``: a client that keeps to old's document fails on new. ``warning``: it may. ``info``: it does not."""

    BREAKING = "breaking"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """Worst first."""
        return list(Level).index(self)


_BREAKING = (
    "operation-removed",
    "parameter-added-required",
    "parameter-became-required",
    "parameter-style-changed",
    "parameter-default-changed",
    "body-added-required",
    "body-became-required",
    "request-media-type-removed",
    "request-property-added-required",
    "request-property-became-required",
    "request-property-refused",
    "request-type-changed",
    "request-format-changed",
    "request-enum-narrowed",
    "request-became-not-nullable",
    "request-limit-tightened",
    "request-choice-removed",
    "request-dependency-added",
    "request-discriminator-changed",
    "success-status-removed",
    "response-media-type-removed",
    "response-header-removed",
    "response-property-removed",
    "response-property-became-optional",
    "response-type-changed",
    "response-format-changed",
    "response-became-nullable",
    "response-discriminator-changed",
    "response-enum-changed",
    "security-added",
    "security-changed",
    "security-scope-added",
)
_WARNING = (
    "parameter-removed",
    "body-removed",
    "request-property-removed",
    "request-properties-closed",
    "request-limit-added",
    "request-pattern-changed",
    "request-default-changed",
    "request-now-described",
    "response-optional-header-removed",
    "response-enum-widened",
    "response-choice-added",
    "response-dependency-removed",
    "response-limit-loosened",
    "response-format-removed",
    "response-no-longer-described",
    "integer-width-changed",
    "security-unclear",
    "reference-not-followed",
    "schema-not-understood",
)
_INFO = (
    "operation-added",
    "operation-deprecated",
    "parameter-added",
    "parameter-became-optional",
    "parameter-deprecated",
    "body-added",
    "body-became-optional",
    "request-media-type-added",
    "request-property-added",
    "request-property-became-optional",
    "request-widened",
    "status-added",
    "other-status-removed",
    "response-media-type-added",
    "response-header-added",
    "response-property-added",
    "response-property-became-required",
    "response-narrowed",
    "response-pattern-changed",
    "security-removed",
)

# The ids of all changes. Which are which was decided with oasdiff's list of checks beside it.
LEVELS: dict[str, Level] = {
    **dict.fromkeys(_BREAKING, Level.BREAKING),
    **dict.fromkeys(_WARNING, Level.WARNING),
    **dict.fromkeys(_INFO, Level.INFO),
}
