"""OpenAPI documents: where they are, what they say, examples of what they describe, and what changed between two."""
