"""A contestant in a process of its own: reads one JSON request a line from standard input, answers with one JSON line.

    python -m gradevo.bench.worker gradevo '{"precision": "float64", "threads": 2}'

Requests: {"do": "prepare", "case": {...}}; {"do": "forward"}, {"do": "gradient"} and other methods of the contestant, with
"args", answered by the seconds they took ("save": where to put the array they return, .npy); {"do": "peak"},
answered by the peak memory of the process so far.
"""

from __future__ import annotations

import gc
import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

import numpy as np

from gradevo.bench.model import Case

SHORT_S = 0.3
"""Runs are repeated for so long: a single short one would be timed while the processor wakes up and its caches are cold."""


def contestant(name: str, options: dict[str, Any]) -> Any:
    """Imports only what the contestant needs."""
    if name == "gradevo":
        from gradevo.bench.gradevo_runner import Gradevo

        return Gradevo(**options)
    if name == "jaxley":
        from gradevo.bench.jaxley_runner import Jaxley

        return Jaxley(**options)
    if name == "neuron":
        from gradevo.bench.neuron_runner import Neuron

        return Neuron(**options)
    raise ValueError(f"no contestant {name!r}; there are gradevo, jaxley and neuron")


def peak_bytes() -> int:
    """Peak resident memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def answer(running: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Does what one request asks for."""
    if request["do"] == "peak":
        return {"bytes": peak_bytes()}
    if request["do"] == "prepare":
        begin = time.perf_counter()
        found = running.prepare(Case(**request["case"]))
        return {"seconds": time.perf_counter() - begin, **found}
    call = partial(getattr(running, request["do"]), *request.get("args", []))
    if "save" in request:
        np.save(request["save"], call())
        return {}
    gc.collect()
    return {"seconds": seconds_of(call)}


def seconds_of(call: Callable[[], Any]) -> float:
    """Seconds of one call. A short one is repeated for SHORT_S, and its mean counts."""
    begin = time.perf_counter()
    call()
    once = time.perf_counter() - begin
    if once >= SHORT_S:
        return once
    repeats = math.ceil(SHORT_S / max(once, 1e-4))
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - begin) / repeats


def as_request(case: Case) -> dict[str, Any]:
    """The case's own numbers, for a request."""
    return {field.name: getattr(case, field.name) for field in fields(case)}


def main(name: str, options: str) -> None:
    # whatever a library prints must not come between the answers
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    running = contestant(name, json.loads(options))
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(running, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
