"""What README and docs/ name is there: linked files and headings, commands with their options, make targets, paths."""

import re
from typing import Any

import pytest
import yaml
from typer.main import get_command

from gradevo.cli import app
from gradevo.grids import expanded
from gradevo.methods import METHODS
from tests.pages import PAGES, ROOT, anchors, commands, links, spans

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

MADE = {"config/mine.yaml", "config/tuned.yaml", "src/gradevo/channels/k_dr.py", "src/gradevo/methods/hill_climb.py"}
"""Files that a reader, or tuning, makes."""


@pages
def test_links_lead_somewhere(page):
    for target in links(page):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), f"{page.name} links to {target}, which does not exist"
        if anchor:
            assert anchor in anchors(file), f"{page.name} links to {target}; headings there: {sorted(anchors(file))}"


def test_every_page_can_be_reached():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        linked = {(page.parent / target.partition("#")[0]).resolve() for target in links(page)}
        waiting += [other for other in PAGES if other.resolve() in linked and other not in reached]
    assert reached == set(PAGES), "link these from README, or from a page that is linked there"


@pages
def test_gradevo_commands_exist(page):
    for words in commands(page, "gradevo"):
        command, rest = _subcommand(words)
        if rest:  # a mention without arguments names the command only
            command.make_context(" ".join(words), list(rest))  # raises for an unknown option or a missing argument
        studies = [word for word in rest if re.fullmatch(r"config/\w+\.yaml", word) and word not in MADE]
        if studies:
            _check_study(page, words, rest, expanded(yaml.safe_load((ROOT / studies[0]).read_text())))


def _subcommand(words: list[str]) -> tuple[Any, list[str]]:
    """The innermost command that the words name, and its arguments."""
    command: Any = get_command(app)
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, f"no command {words[0]!r}; there are {', '.join(command.commands)}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def _check_study(page, words: list[str], rest: list[str], study: dict[str, Any]) -> None:
    """The problem (or neuron) and the method that a command names are in the study and in gradevo, or made on that page."""
    if rest[1:2] == [] or rest[1].startswith("-"):  # of the whole study
        return
    known = {**study["problems"], **study["neurons"]}
    assert rest[1] in known, f"{page.name}: gradevo {' '.join(words)}: {rest[1]!r} is not in {rest[0]}"
    if words[0] == "fit":
        assert rest[2] in METHODS or f'"{rest[2]}"' in page.read_text(), f"{page.name}: no method {rest[2]!r}"


@pages
def test_make_targets_exist(page):
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for words in commands(page, "make"):
        assert {word for word in words if "=" not in word} <= targets, f"{page.name}: make {' '.join(words)}"


@pages
def test_named_files_exist(page):
    for name in spans(page):
        if re.fullmatch(r"(src|docs|config|tests|workflow|profiles)/[\w./-]+", name) and name not in MADE:
            assert (ROOT / name).exists(), f"{page.name} names {name}, which does not exist"


def test_functions_of_the_kernels_page_exist():
    """Whatever is named in code on docs/kernels.md is a name of the sources, or a file of theirs."""
    source = "\n".join(path.read_text() for path in (ROOT / "src/gradevo").rglob("*.py"))
    for name in spans(ROOT / "docs/kernels.md"):
        word = re.fullmatch(r"(?:gradevo\.)?(?:\w+\.)*(\w+)(?:\(\w*\))?", name)
        if word and not name.endswith(".py"):
            assert re.search(rf"\b{word[1]}\b", source), f"docs/kernels.md names {name}, which is nowhere in the sources"
        elif re.fullmatch(r"\w+\.py", name):
            assert (ROOT / "src/gradevo/kernels" / name).exists(), name
