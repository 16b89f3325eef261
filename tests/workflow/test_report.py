"""Snakemake's HTML report of a study, in headless Chromium: every figure is shown, with its caption, and nothing goes wrong."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gradevo.figures.planned import planned_figures
from tests.workflow.running import CONFIG, ROOT, copy_of_repository, environment, snakemake, write_config

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
VISIT = Path(__file__).with_name("visit_report.js")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (Debian's package chromium)")


def visit(report: Path, folder: Path) -> dict[str, Any]:
    """What a browser shows of the report, entry by entry, and the errors that it had. Nothing can be fetched."""
    text = report.read_text()
    head, tag, rest = text.partition("<head>")
    assert tag
    page = folder / "visited.html"
    page.write_text(f"{head}{tag}<script>{VISIT.read_text()}</script>{rest}")
    assert CHROMIUM
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={folder}/profile", "--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1600,1200",
            "--virtual-time-budget=60000", "--dump-dom", page.as_uri(),
        ],
        env=environment(folder), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    found = re.search(r'<pre id="visited">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    assert found, f"the report's scripts did not end:\n{done.stderr[-2000:]}"
    return json.loads(html.unescape(found[1]))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that has been run, and its report as `make report` makes it."""
    folder = copy_of_repository(tmp_path_factory.mktemp("report"))
    write_config(folder, CONFIG)
    run = snakemake(folder)
    assert run.returncode == 0, run.stdout
    (recipe,) = re.findall(r"^report:.*\n\t\$\(SNAKEMAKE\) (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    made = snakemake(folder, *recipe.replace("$(STUDY)", "tiny").split())
    assert made.returncode == 0, made.stdout
    return folder


def test_every_figure_is_shown(study, tmp_path):
    figures = sorted(path.stem for path in (study / "figures/tiny").glob("*.png"))
    assert figures == sorted(planned_figures(CONFIG))
    visited = visit(study / "results/tiny/report.html", tmp_path)
    assert visited["errors"] == []
    shown = {Path(entry["name"]).stem: entry for entry in visited["shown"]}
    assert sorted(shown) == figures
    for name, entry in shown.items():
        assert entry["pixels"] > 500, name
        assert min(entry["width"], entry["height"]) > 100, name
    for result in visited["results"]:
        assert len(result["caption"]) > 40, f"{result['path']} has no caption"


def test_an_error_is_noticed(study, tmp_path):
    """That the check above can fail."""
    text = (study / "results/tiny/report.html").read_text()
    report = tmp_path / "broken.html"
    report.write_text(text.replace("</head>", "<script>console.error('as it should')</script></head>", 1))
    assert any("as it should" in error for error in visit(report, tmp_path)["errors"])
