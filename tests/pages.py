"""The pages of the documentation, and what they name: for the tests that hold pages and code together."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])

FENCE = re.compile(r"^```\w*\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return FENCE.sub("", page.read_text())


def links(page: Path) -> list[str]:
    """Targets of a page's links and images, but for those with an address."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [target for target in found if "://" not in target and not target.startswith("mailto:")]


def spans(page: Path) -> list[str]:
    """What a page sets as code within its lines."""
    return SPAN.findall(prose(page))


def commands(page: Path, program: str) -> list[list[str]]:
    """The words after ``program`` wherever a page names it, in its code blocks or within its lines."""
    lines = [line for block in FENCE.findall(page.read_text()) for line in block.splitlines()] + spans(page)
    parts = [part.strip() for line in lines for part in re.split(r"&&|;", line)]
    return [shlex.split(part, comments=True)[1:] for part in parts if part == program or part.startswith(f"{program} ")]


def anchors(page: Path) -> set[str]:
    """What a link to a heading of the page may name, as GitHub makes it."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
