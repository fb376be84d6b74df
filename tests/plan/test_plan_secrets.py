"""What is secret in a plan is known before anything of it can leave."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from cutover.plan import LoadedPlan
from cutover.plan.secrets import header_secrets, is_secret_header, userinfo, userinfo_secrets
from cutover.redact import redact

Load = Callable[..., LoadedPlan]
Mistakes = Callable[..., list[str]]
WithPhases = Callable[[str], str]

TOKEN = "s3cr3t-t0ken-of-old"


@pytest.mark.parametrize(
    "name", ["Authorization", "Cookie", "X-Api-Key", "X-Tenant-Host", "apikey", "Proxy-Authorization"]
)
def test_headers_are_secret(name: str) -> None:
    assert is_secret_header(name)


@pytest.mark.parametrize(
    "name",
    [
        "Accept",
        "accept-language",
        "Content-Type",
        "USER-AGENT",
        "Host",
        "Cache-Control",
        "X-Cutover",
        "X-Cutover-Probe",
    ],
)
def test_headers_that_everybody_sends_are_not(name: str) -> None:
    assert not is_secret_header(name)


def test_a_header_hides_also_what_follows_its_scheme() -> None:
    assert header_secrets("Authorization", "Bearer abc def") == {"Bearer abc def", "abc def"}
    basic = base64.b64encode(b"me:opensesame").decode()
    assert {"me:opensesame", "opensesame"} <= header_secrets("Authorization", f"Basic {basic}")
    assert "Basic not-base64" in header_secrets("Authorization", "Basic not-base64")
    assert {"abcdef", "ghijkl"} <= header_secrets("Cookie", "session=abcdef; csrf=ghijkl")


def test_userinfo_is_found_wherever_a_url_stands() -> None:
    assert userinfo("http://me:pw@host/x") == ["me:pw"]
    assert userinfo("curl http://me:p@w@host http://you@there") == ["me:p@w", "you"]
    assert userinfo("http://host/x@y") == []
    assert userinfo("me@host") == []
    assert userinfo_secrets("http://me:p%40ss@host") == {"me:p%40ss", "me:p@ss", "p%40ss", "p@ss"}


def test_userinfo_is_found_in_urls_that_are_none() -> None:
    assert userinfo("http://me:pa/ss#word@host") == ["me:pa/ss#word"]


def spellings(secret: str) -> list[str]:
    return [secret, base64.b64encode(secret.encode()).decode(), repr(f"x{secret}y")]


def test_header_values_are_redacted_in_every_mapping_of_headers(load: Load, with_phases: WithPhases) -> None:
    load(
        with_phases("""
        validate:
          - http: {backend: old, path: /, headers: {Authorization: "Bearer literal-token-1", Accept: application/json}}
          - diff: {requests: [{path: /, headers: {X-Key: literal-token-2}}]}
        """)
    )
    for secret in ("literal-token-1", "literal-token-2", "Bearer literal-token-1"):
        assert all("literal-token" not in redact(text) for text in spellings(secret))
    assert redact("application/json") == "application/json"


@pytest.mark.parametrize(
    "use",
    [
        '{http: {backend: old, path: /, headers: {Authorization: "Bearer ${V}"}}}',
        '{http: {backend: old, path: /, body: "user=me&password=${V}"}}',
        '{diff: {requests: [{method: POST, path: /, unsafe: true, json: {login: {password: "${V}"}}}]}}',
        '{command: {run: [curl, "http://me:${V}@host/"]}}',
        '{command: {run: [curl, "http://${V}@host/"]}}',
        '{http: {backend: old, path: /, headers: {X-Auth: "${viavars}"}}}',
        '{http: {backend: old, path: /, headers: {X-Auth: "${NONE:-${V}}"}}}',
        '{command: {run: [echo, "${URL}"]}}',
    ],
)
def test_variables_used_where_secrets_belong_are_redacted(use: str, load: Load, with_phases: WithPhases) -> None:
    text = with_phases(f"validate: [{use}]") + 'vars: {viavars: "x${V}"}\n'
    loaded = load(text, {"V": TOKEN, "URL": f"http://me:{TOKEN}@host"})
    assert redact(f"<{TOKEN}>") == "<***>"
    assert TOKEN not in loaded.resolved_yaml()
    assert TOKEN not in str(loaded.resolved)
    assert TOKEN not in repr(loaded)


def test_variables_used_elsewhere_are_not_secret(load: Load, with_phases: WithPhases) -> None:
    loaded = load(
        with_phases('validate: [{http: {backend: old, path: "/${V}", headers: {Accept: "${V}"}}}]'), {"V": TOKEN}
    )
    assert redact(TOKEN) == TOKEN
    assert TOKEN in loaded.resolved_yaml()


def test_names_under_secrets_are_redacted_whether_the_plan_uses_them_or_not(load: Load, head: str) -> None:
    text = head + "vars: {MINE: from-the-vars}\nsecrets: [V, MINE, NOWHERE]\ndescription: ${V}\nphases: {}\n"
    loaded = load(text, {"V": TOKEN})
    assert redact(f"{TOKEN} from-the-vars") == "*** ***"
    assert loaded.resolved["description"] == "***"
    assert loaded.resolved["vars"] == {"MINE": "***"}


def test_a_secret_that_is_repeated_where_none_belongs_is_redacted_there(load: Load, with_phases: WithPhases) -> None:
    loaded = load(
        with_phases("""
        validate:
          - http: {backend: old, path: /, headers: {X-Key: literal-token-2}}
          - command: {run: [curl, -H, "X-Key: literal-token-2"]}
        """)
    )
    assert "literal-token-2" not in str(loaded.resolved)


def test_userinfo_is_masked_and_its_basic_credentials_with_it(load: Load, head: str) -> None:
    loaded = load(head.replace("127.0.0.1:8000", "me:opensesame@127.0.0.1:8000") + "phases: {}\n")
    assert loaded.resolved["backends"]["old"]["url"] == "http://***@127.0.0.1:8000"
    assert loaded.plan.backends.old.url == "http://me:opensesame@127.0.0.1:8000"
    assert loaded.plan.backends.old.servers == ["127.0.0.1:8000"]
    assert redact("Basic " + base64.b64encode(b"me:opensesame").decode()).startswith("Basic ***")


def test_short_values_are_not_secret(load: Load, with_phases: WithPhases) -> None:
    loaded = load(with_phases("validate: [{http: {backend: old, path: /, headers: {X-Mode: fast}}}]"))
    assert loaded.resolved["phases"]["validate"][0]["http"]["headers"] == {"X-Mode": "fast"}


@pytest.mark.parametrize(
    "wrong",
    [
        'backends: {old: {url: "ftp://me:${V}@host"}}',
        'backends: {old: {url: "http://me:${V}@host:port"}}',
        'backends: {old: {url: "http://me:${V}/x@host:80"}}',
        'backends: {old: {url: "http://h:1", servers: ["${V}"], headers: {X-Key: "${V}"}}}',
        'name: x\nsecrets: [V]\ndescription: ["${V}"]',
        'secrets: [V]\nproxy: {kind: "${V}"}',
        'secrets: [V]\nphases: {validate: [{wait: "${V}"}]}',
        'secrets: [V]\nphases: {validate: [{diff: {requests: ["${V}"]}}]}',
        'secrets: [V]\nphases: {validate: [{load: {backend: old, concurrency: "${V}"}}]}',
        'phases: {validate: [{http: {headers: {"X-Key": ["${V}"]}}}]}',
    ],
)
def test_no_mistake_shows_a_secret(wrong: str, mistakes: Mistakes) -> None:
    told = mistakes(f"version: 1\n{wrong}\n", {"V": TOKEN + "/é\n" if "diff" in wrong else TOKEN})
    assert told
    assert TOKEN not in "\n".join(told)


def test_a_mistake_does_not_show_the_beginning_of_a_long_secret(mistakes: Mistakes) -> None:
    long = TOKEN * 20
    told = mistakes('version: "${V}"\nsecrets: [V]\nproxy: {kind: "${V}"}\n', {"V": long})
    assert "s3cr3t" not in "\n".join(told)


@pytest.mark.parametrize("password", ["half/of+it", "half?of+it", "half#of+it"])
def test_a_url_torn_apart_by_its_password_is_told_without_it(password: str, mistakes: Mistakes, head: str) -> None:
    text = head.replace("http://127.0.0.1:8080", "http://me:${PASSWORD}@127.0.0.1:8080") + "phases: {}\n"
    told = mistakes(text, {"PASSWORD": password})[0]
    assert "half" not in told
    assert "of+it" not in told
    assert "%2F" in told


def test_a_value_under_secrets_is_not_repeated(mistakes: Mistakes, head: str) -> None:
    told = mistakes(head + 'secrets: ["s3cr3t value"]\nphases: {}\n')
    assert told == ["10:11: secrets[0]: this is not the name of a variable, as in DB_PASSWORD"]
