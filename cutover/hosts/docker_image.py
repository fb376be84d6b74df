"""A container image made of nothing but an nginx binary on this machine: for the demo and the tests.

Nothing is pulled: the root is a tar of the binary, the libraries it needs and the few files that nginx asks for.
"""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cutover.errors import ProxyError

if TYPE_CHECKING:
    from docker import DockerClient

LDD_TIMEOUT_S = 10.0
CONF = "/etc/nginx/nginx.conf"
CONF_FOLDER = "/etc/nginx/conf.d"
REPOSITORY = "cutover-nginx"

_NGINX = "/usr/sbin/nginx"
_FOLDERS = ("etc/nginx/conf.d", "run", "var/run", "var/cache/nginx", "var/lib/nginx", "var/log/nginx", "tmp")
_FILES = {
    "etc/passwd": "root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
    "etc/group": "root:x:0:\nusers:x:100:\nnobody:x:65534:\nnogroup:x:65534:\n",
    "etc/nginx/mime.types": "types {\n    text/html html;\n    application/json json;\n}\n",
    "etc/nginx/nginx.conf": """\
user nobody nogroup;
worker_processes 2;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;

events {
    worker_connections 1024;
}

http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log off;
    include /etc/nginx/conf.d/*.conf;
}
""",
}
_LINKS = {"var/log/nginx/access.log": "/dev/stdout", "var/log/nginx/error.log": "/dev/stderr"}


def build_image(client: DockerClient, nginx: Path, *, beside: Sequence[Path] = ()) -> str:
    """Import an image around ``nginx`` and the programs ``beside`` it; return its name. Done once per content."""
    from docker.errors import ImageNotFound  # noqa: PLC0415 - start-up time

    root = image_root(nginx, beside=beside)
    name = f"{REPOSITORY}:{hashlib.sha256(root).hexdigest()[:12]}"
    try:
        client.images.get(name)
    except ImageNotFound:
        repository, _, tag = name.partition(":")
        client.api.import_image_from_data(root, repository=repository, tag=tag, changes=_SETTINGS)
    return name


_SETTINGS = [
    "ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "WORKDIR /var/cache/nginx",
    f'CMD ["nginx", "-c", "{CONF}", "-g", "daemon off;"]',
]


def image_root(nginx: Path, *, beside: Sequence[Path] = ()) -> bytes:
    """The tar of the image's root: the same bytes for the same programs."""
    programs = {_NGINX: nginx, **{f"/bin/{program.name}": program for program in beside}}
    for program in list(programs.values()):
        programs.update({str(library): library for library in _libraries(program)})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in _FOLDERS:
            tar.addfile(_member(folder, tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755))
        for path, text in _FILES.items():
            data = text.encode()
            tar.addfile(_member(path, tarfile.REGTYPE, 0o644, size=len(data)), io.BytesIO(data))
        for path, target in _LINKS.items():
            member = _member(path, tarfile.SYMTYPE, 0o777)
            member.linkname = target
            tar.addfile(member)
        for path, program in sorted(programs.items()):
            data = program.read_bytes()
            tar.addfile(_member(path.lstrip("/"), tarfile.REGTYPE, 0o755, size=len(data)), io.BytesIO(data))
    return buffer.getvalue()


def _member(path: str, kind: bytes, mode: int, *, size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.size = kind, mode, size
    return member


def _libraries(program: Path) -> list[Path]:
    """The shared libraries that ``ldd`` lists; none for a static program."""
    try:
        listed = subprocess.run(
            ["ldd", str(program)], capture_output=True, text=True, timeout=LDD_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProxyError(f"the libraries of {program} can't be listed: {error}", hint="install ldd") from error
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", listed.stdout)]
