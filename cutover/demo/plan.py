"""The demo's plan: a whole cutover in under a minute.

Its figures are sized for two cores that also carry the backends, nginx and the traffic of ``cutover.demo.traffic``.
"""

from __future__ import annotations

from string import Template
from typing import Literal

from cutover.demo.backends import AUDITOR, TOKEN_ENV
from cutover.demo.data import PASSWORD

NAME = "demo-medical-api"
CONTAINER_CONFIG = "/etc/nginx/conf.d/demo-medical-api.conf"


class _PlanTemplate(Template):
    """With ``@`` for what is filled in here, as ``$`` is the plan's own."""

    delimiter = "@"


_PLAN = _PlanTemplate("""\
version: 1
name: @{name}
description: Move a medical-imaging API from FastAPI to Django, under live traffic

backends:
  old:
    url: @{old}
  new:
    url: @{new}

proxy:
  kind: nginx
  url: http://127.0.0.1:@{port}
@{control}
  server: {listen: "127.0.0.1:@{port}"}
  split:
    by: @{by}
  routes:
    - path: /

phases:
  preflight:
    - http: {backend: old, path: /health, json: {status: ok}}
    - name: Django is ready
      http: {backend: new, path: /health, json: {status: ok}}
      retry: {for: 10s, every: 500ms}
    - tcp: {backend: old}
    - tcp: {backend: new}
  validate:
    - name: the same answers
      diff:
        requests:
          - GET /health
          - "GET /api/v1/studies/search?page=1"
          - "GET /api/v1/studies/search?page=2&page_size=25&sort=-scheduled_at"
          - "GET /api/v1/studies/search?modality=MR&status=reported"
          - "GET /api/v1/studies/search?q=head&date_from=2024-02-01&date_to=2024-05-31"
          - "GET /api/v1/studies/search?page=none"
          - GET /api/v1/studies/filters/options
          - GET /api/v1/studies/EXAM-0001
          - GET /api/v1/studies/EXAM-none
          - GET /api/v1/auth/me
          - {path: /api/v1/auth/me, headers: {Authorization: "Bearer ${@{token}}"}}
          - {path: "/api/v1/tasks?created_by=@{auditor}", headers: {Authorization: "Bearer ${@{token}}"}}
          - {method: POST, path: /api/v1/auth/login, unsafe: true,
             json: {username: @{auditor}, password: @{password}}}
    - name: Django under load
      load:
        backend: new
        concurrency: 50
        for: 2s
        requests: ["GET /api/v1/studies/search?page=1", GET /api/v1/studies/EXAM-0007]
        thresholds: ["errors == 0%", "p95 <= 8x old", "requests >= 50"]
  shift:
    - shift:
        through: [10, 50]
        hold: 4s
        every: 1s
        gates: &gates
          - http: {backend: proxy, path: /health}
          - load:
              backend: new
              concurrency: 4
              for: 500ms
              requests: [GET /api/v1/studies/EXAM-0007]
              thresholds: ["errors == 0%"]
  cutover:
    - shift: {to: 100, hold: 3s, every: 1s, gates: *gates}
  soak:
    - watch: {for: 4s, every: 1s, gates: *gates}
  cleanup:
    - name: old gets nothing any more
      http: {backend: proxy, path: /health}
  rollback:
    - http: {backend: proxy, path: /health}
""")


def plan_text(
    *, old: str, new: str, proxy_port: int, by: Literal["request", "client"] = "request", container: str | None = None
) -> str:
    """The plan as YAML, for the URLs of both backends. The proxy is a managed nginx, or runs in ``container``.

    To load it needs ``Backends.environment``. A container shares this host's network, where the backends listen.
    """
    managed, docker = "    managed: {}", f"    docker: {{container: {container}}}\n  config: {CONTAINER_CONFIG}"
    return _PLAN.substitute(
        name=NAME, old=old, new=new, port=proxy_port, by=by, token=TOKEN_ENV, auditor=AUDITOR, password=PASSWORD,
        control=f"  control:\n{docker if container else managed}",
    )  # fmt: skip
