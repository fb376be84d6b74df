"""docs/nginx.md's way to put cutover before an nginx that is there already, typed as it stands there."""

from __future__ import annotations

import os
import pwd
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutover.proxy.render import Facts, default_folder, render
from cutover.proxy.spec import ProxySpec
from tests.docs.markdown import ROOT, blocks, code, prose, table
from tests.support.site import Site, Traffic

PAGE = ROOT / "docs" / "nginx.md"
OWN = "Your own server block"
TIMEOUT_S = 10


class OwnNginx:
    """Somebody's nginx, laid out below a folder as packages lay it out below ``/``."""

    def __init__(self, binary: str, site: Site) -> None:
        self.binary, self.site, self.root = binary, site, site.folder / "host"
        for folder in ("etc/nginx/conf.d", "etc/nginx/sites", "run", "var/log/nginx"):
            (self.root / folder).mkdir(parents=True)
        self.conf = self.root / "etc/nginx/nginx.conf"
        self.conf.write_text(
            self.here(
                f"{_user()}pid /run/nginx.pid; error_log /var/log/nginx/error.log notice;\n"
                "events { } http {\n"
                "  access_log off; include /etc/nginx/conf.d/*.conf; include /etc/nginx/sites/*; }\n"
            )
        )
        self.serve("server { listen 80; location / { proxy_pass http://127.0.0.1:8000; } }\n")

    def here(self, text: str) -> str:
        """The documentation's paths and ports as they are on this site."""
        text = re.sub(r"(?<![\w.])/(etc/nginx|run|var/log/nginx)/", rf"{self.root}/\1/", text)
        ports = {"8000": self.site.old.port, "8001": self.site.new.port, "80": self.site.port}
        return re.sub(r"(?<=127\.0\.0\.1:)(?:8000|8001|80)\b|(?<=listen )80\b", lambda m: str(ports[m.group()]), text)

    def serve(self, block: str) -> None:
        (self.root / "etc/nginx/sites/api").write_text(self.here(block))

    def run(self, *options: str) -> None:
        command = [self.binary, "-c", str(self.conf), "-e", str(self.root / "var/log/nginx/error.log"), *options]
        # An nginx built without a prefix makes its folders for temporary files where it is started.
        subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S, cwd=self.root)

    @property
    def master(self) -> int:
        return int((self.root / "run/nginx.pid").read_text())

    def reload(self) -> None:
        """As an administrator does it, and until the workers from before are gone."""
        self.run("-t")
        workers = Path(f"/proc/{self.master}/task/{self.master}/children").read_text().split()
        self.run("-s", "reload")
        _wait_for_end(*workers)

    def stop(self) -> None:
        master = self.master
        os.kill(master, signal.SIGTERM)
        _wait_for_end(str(master))


def _wait_for_end(*processes: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while any(Path("/proc", process).exists() for process in processes):
        assert time.monotonic() < deadline, f"{processes} do not end"
        time.sleep(0.02)


def _user() -> str:
    """Workers that may enter pytest's folders, which are closed to others."""
    return f"user {pwd.getpwuid(0).pw_name}; " if os.geteuid() == 0 else ""


@pytest.fixture
def own_nginx(site: Site, request: pytest.FixtureRequest) -> Iterator[OwnNginx]:
    """Of the version whose fixture is the parameter."""
    nginx = OwnNginx(request.getfixturevalue(request.param), site)
    nginx.run()
    try:
        yield nginx
    finally:
        nginx.stop()


# By client no nginx loses a request; by request, none from 1.27.4 on. See "Versions".
@pytest.mark.parametrize(
    ("own_nginx", "by"), [("new_nginx", "request"), ("old_nginx", "client")], indirect=["own_nginx"]
)
def test_an_existing_server_block_is_put_under_cutovers_split(own_nginx: OwnNginx, site: Site, by: str) -> None:
    (plan,) = [block.text for block in blocks(PAGE, "yaml") if block.heading == OWN]
    by_request, by_client = [block.text for block in blocks(PAGE, "nginx") if block.heading == OWN]
    switch = f", dir: {site.folder}/switch" if by == "client" else ""
    plan = own_nginx.here(plan).replace("binary: nginx", f"binary: {own_nginx.binary}")
    site.plan_file.write_text(plan.replace("{by: request}", f"{{by: {by}{switch}}}").replace("hold: 5m", "hold: 100ms"))

    site.cutover("preflight")
    assert site.share_of_new(10) == 0
    own_nginx.serve(by_request if by == "request" else by_client)
    own_nginx.reload()
    with Traffic(site.port, clients=2) as traffic:
        site.cutover("run")
    assert traffic.failed == []
    assert traffic.requests > 0
    assert site.share_of_new(20) == 100
    site.cutover("rollback")
    assert site.share_of_new(20) == 0


def test_the_fields_of_the_access_log_are_documented() -> None:
    template = (default_folder() / "cutover.conf.j2").read_text()
    logged = re.findall(r'"(\w+)":', template.partition("log_format")[2].partition(";")[0])
    assert sorted(name for row in table(PAGE, "Access log", "field") for name in code(row[0])) == sorted(logged)


def test_the_templates_that_there_are_are_named() -> None:
    text = prose(PAGE)
    assert all(f"`{file.name}`" in text for file in default_folder().iterdir())


def test_names_in_the_configuration_are_as_documented() -> None:
    spec = ProxySpec.model_validate({
        "name": "my-api",
        "proxy": {
            "url": "http://127.0.0.1:80", "control": {"local": {}}, "config": "/etc/nginx/conf.d/my-api.conf",
            "split": {"by": "client"},
        },
        "old": ["127.0.0.1:8000"],
        "new": ["127.0.0.1:8001"],
    })  # fmt: skip
    text = render(spec, 10, Facts((1, 27, 4), "/var/log/nginx/cutover-my-api.log")).text
    assert "proxy_pass http://$cutover_my_api_pool;" in text
    assert "upstream my_api_old {" in text
    assert "log_format cutover_my_api " in text
    assert spec.include_path("/etc/nginx/conf.d/my-api.conf") == "/etc/nginx/conf.d/my-api.server.inc"
    assert spec.status_path == "/.cutover/my-api"
