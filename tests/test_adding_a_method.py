"""docs/adding_a_method.md, followed to the letter in a copy of the package."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_works(tmp_path: Path):
    page = (ROOT / "docs/adding_a_method.md").read_text()
    method, entry = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    (command, arguments) = re.findall(r"```sh\n(gradevo) (.*?)\n```", page)[0]
    assert command == "gradevo"
    copy = tmp_path / "src/gradevo"
    shutil.copytree(ROOT / "src/gradevo", copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "config", tmp_path / "config")
    shutil.copytree(ROOT / "workflow/schemas", tmp_path / "workflow/schemas")
    (copy / "methods/hill_climb.py").write_text(method)
    registry = copy / "methods/__init__.py"
    text = registry.read_text()
    assert text.count("    for method in (\n") == 1
    registry.write_text(text.replace("    for method in (\n", f"    for method in (\n{entry.rstrip()},\n"))
    done = subprocess.run(
        [sys.executable, "-m", "gradevo.cli", *arguments.split(), "--out", "fit.parquet"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path / "src")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "fit.json").read_text())
    assert result["status"] == "budget"
    assert result["metadata"]["settings"] == {"batch": 16, "step": 0.05}
    # 2000 simulations of a climb from a start that is tens of mV2 off
    assert result["totals"]["simulations"] == 2000
    assert result["best_loss"] < 1.0
