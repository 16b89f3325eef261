"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

ASIDE = ".aside"
"""Part of the names of files that are being written; what a killed process leaves under such a name is nobody's."""


def write_aside(path: str | Path, write: Callable[[Path], Any]) -> None:
    """Call `write` on a temporary name in the same folder, then move it into place in one step.

    Raises OSError naming the file and the way out, where the folder cannot be written or is full.
    """
    path = Path(path)
    # on a cluster, two nodes may have processes with the same number
    temporary = path.with_name(f".{path.stem}.{platform.node()}.{os.getpid()}{ASIDE}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        # on the disk before it gets its name: not even a power failure leaves a name with half a file
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(error.errno, f"cannot write {path}: {why_not_written(error)}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """A CSV with six digits, which is more than any of its numbers means."""
    write_aside(path, lambda aside: table.to_csv(aside, index=False, float_format="%.6g"))


def why_not_written(error: OSError) -> str:
    """What went wrong in writing a file, and the way out."""
    ways = {
        errno.ENOSPC: "the disk is full; free some space",
        errno.EDQUOT: "your disk quota is used up; free some space",
        errno.EROFS: "the file system is read-only; work in a folder that can be written",
        errno.EACCES: "permission denied; work in a folder of your own, or have its owner grant you the right to write",
    }
    return f"{ways.get(error.errno or 0, str(error))}, then run the same command again"
