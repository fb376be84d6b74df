"""Where requests come from: files of them, access logs, HAR files, and old's own OpenAPI document.

Each source gives ``drawn.Drawn``: the requests, and what was left out with its reasons. What clients recorded brings no
credentials along: those come from the plan, for each side its own (``credentials``).
"""
