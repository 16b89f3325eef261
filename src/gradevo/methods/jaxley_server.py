"""Jaxley's process: reads a task, then questions, from its standard input, and answers on its standard output."""

from __future__ import annotations

import os
import pickle
import sys
import time

from gradevo.workplace import end_with_parent


def main(parent: int) -> None:
    end_with_parent(parent)
    # whatever a library prints must not come between the answers
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    questions = sys.stdin.buffer
    task, trainer = pickle.load(questions), None
    while True:
        try:
            name, arguments = pickle.load(questions)
        except EOFError:
            return
        begin = time.process_time()
        try:
            if trainer is None:
                from gradevo.methods.jaxley_cell import Trainer

                trainer = Trainer(task)
            answer = ("answer", getattr(trainer, name)(*arguments), time.process_time() - begin)
        except Exception as error:  # noqa: BLE001 - it is raised again where the question came from
            answer = ("error", f"{type(error).__name__}: {error}", time.process_time() - begin)
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
