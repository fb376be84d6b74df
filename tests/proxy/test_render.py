"""Rendering: nginx of both versions takes every weight of every plan, and no plan injects anything."""

from __future__ import annotations

import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cutover.errors import UsageError
from cutover.proxy.render import Facts, read_header, render, render_include, weights
from cutover.proxy.spec import ProxySpec, address, is_name

VERSIONS = ((1, 22, 1), (1, 27, 4), (1, 31, 3))

hosts = st.sampled_from(["127.0.0.1", "10.1.2.3", "[::1]", "[2001:db8::1]", "localhost"])
servers = st.builds("{}:{}".format, hosts, st.integers(1, 65535))
sides = st.lists(servers, min_size=1, max_size=4, unique_by=address)
names = st.from_regex(r"[a-z][a-z0-9-]{0,62}", fullmatch=True)
paths = st.from_regex(r"/[A-Za-z0-9._~/%@:+-]{0,30}", fullmatch=True).filter(lambda p: ".." not in p)
routes = st.lists(
    st.fixed_dictionaries({"path": paths}, optional={"to": st.sampled_from(["old", "new"])}),
    min_size=1, max_size=5, unique_by=lambda route: str(route["path"]),
)  # fmt: skip
tokens = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,20}", fullmatch=True)
overrides = st.none() | st.fixed_dictionaries({}, optional={"header": tokens, "cookie": tokens})
keys = st.sampled_from(["$remote_addr", "$http_x_user|$arg_t", "$cookie_sid", "$http_authorization:$remote_addr"])


@st.composite
def specs(draw: st.DrawFn) -> ProxySpec:
    old, new, fallback = draw(sides), draw(sides), draw(st.just([]) | sides)
    by = draw(st.sampled_from(["request", "client"]))
    split: dict[str, Any] = {"by": by, "override": draw(overrides)}
    if by == "client":
        split |= {"key": draw(st.none() | keys), "dir": "/var/lib/cutover/x"}
    own = draw(st.booleans())
    proxy: dict[str, Any] = {
        "url": "http://127.0.0.1:8080",
        "control": {"local": {}},
        "config": "/etc/nginx/conf.d/x.conf",
        "split": {k: v for k, v in split.items() if v is not None},
        "routes": draw(routes),
    }
    if own:
        proxy["server"] = {
            "listen": "127.0.0.1:8080",
            "server_name": draw(st.sampled_from(["a.example", "*.b.example"])),
        }
    return ProxySpec.model_validate({"name": draw(names), "old": old, "new": new, "fallback": fallback, "proxy": proxy})


def spec(**changes: Any) -> ProxySpec:
    proxy = {
        "url": "http://127.0.0.1:8080", "control": {"managed": {}}, "server": {"listen": "127.0.0.1:8080"},
        **changes.pop("proxy", {}),
    }  # fmt: skip
    return ProxySpec.model_validate(
        {"name": "medical-api", "old": ["127.0.0.1:1"], "new": ["127.0.0.1:2"], **changes, "proxy": proxy}
    )


def facts(version: tuple[int, int, int] = (1, 31, 3), log: str = "/dev/null") -> Facts:
    return Facts(version, log)


def version_of(binary: str) -> tuple[int, int, int]:
    return (1, 22, 1) if binary == "/usr/sbin/nginx" else (1, 31, 3)


def accepted(binary: str, http: str, server_includes: str = "") -> tuple[bool, str]:
    """Whether nginx takes it inside ``http``; no port is opened that others might have."""
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder) / "nginx.conf"
        conf.write_text(f"pid /dev/null; events {{}} http {{ {server_includes}\n{http}\n}}")
        tested = subprocess.run(
            [binary, "-t", "-p", folder, "-c", str(conf)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=60, check=False,
        )  # fmt: skip
        return tested.returncode == 0, tested.stdout


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=specs(), some=st.lists(st.integers(1, 99), min_size=2, max_size=2))
def test_both_versions_take_every_plan_at_any_weight(
    new_nginx: str, old_nginx: str, made: ProxySpec, some: list[int]
) -> None:
    for binary in (new_nginx, old_nginx):
        known = facts(version_of(binary))
        for weight in (0, *some, 100):
            ok, said = accepted(binary, render(made, weight, known).text)
            assert ok, said
        ok, said = accepted(binary, render(made, 100, known, settled=True).text)
        assert ok, said


@pytest.mark.parametrize("by", ["request", "client"])
def test_nginx_takes_every_weight(nginx_binary: str, by: str) -> None:
    """All 101 in one run: each is a plan of its own on a port of its own."""
    known = facts(version_of(nginx_binary))
    texts = []
    for weight in range(101):
        split = {"by": by, **({"dir": "/var/lib/cutover/x"} if by == "client" else {})}
        server = {"listen": f"127.0.0.1:{20001 + weight}"}
        made = spec(name=f"w{weight}", old=["10.0.0.1:1", "10.0.0.2:1"], proxy={"split": split, "server": server})
        texts.append(render(made, weight, known).text)
    ok, said = accepted(nginx_binary, "\n".join(texts))
    assert ok, said


@given(old=st.lists(servers, min_size=1, max_size=7), new=st.lists(servers, min_size=1, max_size=7))
def test_integer_weights_give_exactly_the_share(old: list[str], new: list[str]) -> None:
    for weight in range(101):
        each_old, each_new = weights(old, new, weight)
        total = each_old * len(old) + each_new * len(new)
        assert Fraction(each_new * len(new), total) == Fraction(weight, 100)


@given(made=specs(), weight=st.integers(0, 100))
def test_a_rendering_knows_its_revision_and_notices_edits(made: ProxySpec, weight: int) -> None:
    rendered = render(made, weight, facts())
    header = read_header(rendered.text)
    assert header is not None
    assert (header.name, header.revision, header.authentic) == (made.name, rendered.revision, True)
    assert render(made, weight, facts()) == rendered
    edited = read_header(rendered.text.replace("zone ", "zone  ", 1))
    assert edited is not None
    assert not edited.authentic


@given(made=specs())
def test_a_spec_survives_its_json(made: ProxySpec) -> None:
    assert ProxySpec.model_validate_json(made.model_dump_json(by_alias=True, exclude_none=True)) == made


def test_sizes_and_tls_survive_their_json() -> None:
    server = {"listen": "127.0.0.1:1", "client_max_body_size": "2mb", "tls": {"certificate": "/a", "key": "/b"}}
    made = spec(proxy={"server": server})
    assert made.proxy.server is not None
    assert made.proxy.server.client_max_body_size == 2 * 1024 * 1024
    assert ProxySpec.model_validate_json(made.model_dump_json(by_alias=True, exclude_none=True)) == made


EVIL = [
    "x; }",
    "a\nb",
    'a"b',
    "a b",
    "a{b",
    "a}b",
    "a;b",
    "$(id)",
    "a#b",
    "a\\b",
    "../x",
    "a\x00b",
    "{{ 7 }}",
    "{% x %}",
]


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize(
    "place",
    [
        lambda evil: {"server": {"listen": evil}},
        lambda evil: {"server": {"listen": "1", "server_name": evil}},
        lambda evil: {"server": {"listen": "1", "tls": {"certificate": f"/{evil}", "key": "/k"}}},
        lambda evil: {"routes": [{"path": f"/{evil}"}]},
        lambda evil: {"split": {"by": "client", "key": f"$remote_addr{evil}"}},
        lambda evil: {"split": {"by": "client", "dir": f"/{evil}"}},
        lambda evil: {"split": {"override": {"header": f"A{evil}"}}},
        lambda evil: {"split": {"override": {"cookie": f"A{evil}"}}},
        lambda evil: {"resolver": evil},
        lambda evil: {"status": {"listen": evil, "url": "http://127.0.0.1:1"}},
    ],
)
def test_nothing_but_the_grammar_gets_into_a_file(evil: str, place: Any) -> None:
    with pytest.raises(ValidationError):
        spec(proxy=place(evil))


def test_what_a_version_lacks_is_left_out() -> None:
    made = spec(new=["api.example:80"], proxy={"resolver": "127.0.0.11"})
    old, new = (render(made, 50, facts(v)).text for v in ((1, 22, 1), (1, 27, 4)))
    assert "keepalive_min_timeout" not in old
    assert " resolve;" not in old
    assert "resolver" not in old
    assert "keepalive_min_timeout 2s;" in new
    assert "server api.example:80 max_fails=0 resolve;" in new
    assert "resolver 127.0.0.11 valid=5s;" in new


def test_new_is_absent_at_weight_0_unless_testers_may_pick_it() -> None:
    assert "127.0.0.1:2" not in pools(spec(), 0)
    assert "127.0.0.1:1" not in pools(spec(), 100)
    picked = {"split": {"override": {"header": "X-Cutover"}}}
    assert "127.0.0.1:2" in pools(spec(proxy=picked), 0)
    assert "new.example" not in pools(spec(new=["new.example:80"], proxy=picked), 0)


def pools(made: ProxySpec, weight: int) -> str:
    text = render(made, weight, facts()).text
    return "".join(line + "\n" for line in text.splitlines() if line.startswith("    server "))


def test_a_user_sees_what_to_write_in_a_server_block_of_their_own() -> None:
    local: dict[str, Any] = {"control": {"local": {}}, "config": "/etc/nginx/conf.d/medical-api.conf", "server": None}
    by_request = ProxySpec.model_validate(own_block(local))
    text = render(by_request, 10, facts()).text
    assert "proxy_pass http://medical_api;" in text
    assert "upstream medical_api {" in text
    assert "include /etc/nginx/conf.d/medical-api.server.inc;" in text
    assert "set $" not in render_include(by_request, facts()).split("proxy_next_upstream")[1]


def own_block(proxy: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in {"url": "http://127.0.0.1:8080", **proxy}.items() if v is not None}
    return {"name": "medical-api", "old": ["127.0.0.1:1"], "new": ["127.0.0.1:2"], "proxy": kept}


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("localhost:80", "127.0.0.1:80"), ("[0:0:0::1]:80", "[::1]:80"), ("unix:/run/x.sock", "unix:/run/x.sock"),
        ("api.example:80", "api.example:80"),
    ],
)  # fmt: skip
def test_servers_are_written_as_nginx_logs_them(server: str, expected: str) -> None:
    assert address(server) == expected
    assert is_name(server) == (server == "api.example:80")


class TestTemplatesOfTheUsers:
    """``--templates DIR`` replaces the templates; mistakes in them are told with file and line."""

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no such folder"):
            render(spec(), 1, Facts((1, 31, 3), "/x", tmp_path / "none"))

    def test_a_missing_template(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"cutover\.conf\.j2: no such template"):
            render(spec(), 1, Facts((1, 31, 3), "/x", tmp_path))

    def test_a_broken_template(self, tmp_path: Path) -> None:
        (tmp_path / "cutover.conf.j2").write_text("ok\n{% if %}\n")
        with pytest.raises(UsageError, match=r"cutover\.conf\.j2:2: "):
            render(spec(), 1, Facts((1, 31, 3), "/x", tmp_path))

    def test_an_unknown_variable(self, tmp_path: Path) -> None:
        (tmp_path / "cutover.conf.j2").write_text("ok\n\n{{ nonsense }}\n")
        with pytest.raises(UsageError, match=r"cutover\.conf\.j2:3: 'nonsense' is undefined"):
            render(spec(), 1, Facts((1, 31, 3), "/x", tmp_path))

    def test_a_good_one(self, tmp_path: Path) -> None:
        (tmp_path / "cutover.conf.j2").write_text("# {{ id }} {{ weight }} {{ revision }}\n")
        rendered = render(spec(), 7, Facts((1, 31, 3), "/x", tmp_path))
        assert rendered.text.endswith(f"# medical_api 7 {rendered.revision}\n")
