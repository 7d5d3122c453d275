"""The program that every engine's worker is: one order a line in, one answer a line out.

    python worker_main.py transformers_worker

It is run by the engine's own Python, knows nothing of this package, and needs only what every
Python has. The module that it is told of lies beside it and offers

    load(order) -> model     raises ImportError for what the user has to install
    model.facts              dict of str to str, for the record
    model.run(order)         -> dict, the rest of the answer to "run"
    model.recover() -> bool  whether it can go on after it ran out of memory

Orders and answers are JSON objects:

    {"op": "load", "requires": {package: version or ""}, ...}  -> {"ok": true, "facts": {...}}
    {"op": "run", ...}                                         -> {"ok": true, "start_s": ..., ...}
    {"op": "close"}, or no more orders: the end

or {"ok": false, "kind": "setup" | "out of memory" | "error", "error": "...", "usable": bool},
where "setup" is the user's to repair, and "usable" says whether more orders may come.
"""

import gc
import importlib
import importlib.metadata
import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

MAX_ERROR_CHARS = 300


def main(module_name: str) -> None:
    """Answer orders until there are no more."""
    orders, answers = private_streams()
    model: Any = None
    for line in orders:
        order = json.loads(line)
        op = order.pop("op")
        if op == "close":
            break
        try:
            if op == "load":
                require_packages(order.pop("requires"))
                model = importlib.import_module(module_name).load(order)
                answer = {"ok": True, "facts": model.facts}
            else:
                answer = {"ok": True, **model.run(order)}
        except Exception as error:  # whatever an engine raises is an answer
            traceback.print_exc()
            answer = refusal(error)
        if answer.get("kind") == "out of memory" and model is not None:
            gc.collect()  # the frames of the failed run, and what they held
            answer["usable"] = model.recover()
        answers.write(json.dumps(answer, allow_nan=False) + "\n")
        answers.flush()


def private_streams() -> tuple[IO[str], IO[str]]:
    """Return the streams of orders and answers, and keep all else of this process off them.

    What libraries print goes to stderr, also where they print without Python; what they read from
    stdin is empty.
    """
    orders = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return orders, answers


def require_packages(versions: Mapping[str, str]) -> None:
    """Raise ImportError unless these packages are there, in these versions where one is given.

    What follows a + in a version says how it was built, not what it is.
    """
    for package, wanted in versions.items():
        try:
            found = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            raise ImportError(f"{package} is not installed") from None
        if wanted and found.partition("+")[0] != wanted:
            raise ImportError(f"{package} is {found}, not {wanted}")


def refusal(error: BaseException) -> dict[str, Any]:
    """Return the answer that tells of an error."""
    exhausted = next((each for each in with_causes(error) if out_of_memory(each)), None)
    if exhausted is not None:
        kind, text = "out of memory", first_line(exhausted)
    elif isinstance(error, ImportError):
        kind, text = "setup", first_line(error)
    else:
        kind, text = "error", f"{type(error).__name__}: {first_line(error)}"
    return {"ok": False, "kind": kind, "error": text[:MAX_ERROR_CHARS], "usable": False}


def with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those behind it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out: PyTorch's, CUDA's, or Python's own."""
    names = {cls.__name__ for cls in type(error).__mro__}
    return bool(names & {"OutOfMemoryError", "MemoryError"}) or "out of memory" in str(error)


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says."""
    return next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.absolute()))  # a Python may be told not to
    main(sys.argv[1])
