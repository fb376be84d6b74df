"""No link of the documentation leads nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.markdown import ALL_PAGES, PAGES, README, ROOT, headings, links, slug


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}: no such file"
        assert target.is_relative_to(ROOT), f"{page.name}: {link} leads out of the repository"
        if anchor:
            assert anchor in map(slug, headings(target)), f"{page.name}: {link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_two_headings_of_a_page_share_an_anchor(page: Path) -> None:
    slugs = [slug(heading) for heading in headings(page)]
    assert len(slugs) == len(set(slugs))


def test_the_readme_leads_to_every_page() -> None:
    linked = {link.partition("#")[0] for link in links(README)}
    assert {f"docs/{page.name}" for page in PAGES if page != README} <= linked
