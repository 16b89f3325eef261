"""docs/adding_a_channel.md, followed to the letter in a copy of the package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_works(tmp_path: Path):
    page = (ROOT / "docs/adding_a_channel.md").read_text()
    declaration, trial = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    copy = tmp_path / "gradevo"
    shutil.copytree(ROOT / "src/gradevo", copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "channels/k_dr.py").write_text(declaration)
    listing = copy / "channels/__init__.py"
    after = "from gradevo.channels.k_a import K_A, K_A_DISTAL\n"
    text = listing.read_text().replace(after, f"{after}from gradevo.channels.k_dr import K_DR\n")
    listing.write_text(text.replace("K_A_DISTAL)", "K_A_DISTAL, K_DR)"))
    (tmp_path / "trial.py").write_text(trial)
    done = subprocess.run(
        [sys.executable, "trial.py"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("gradient ")
