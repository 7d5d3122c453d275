"""What `sweetspot fit` takes of a file of many rows, from the command to the end.

    python benchmarks/fit_rows.py [ROWS]

Rows are drawn on the surface of a model with 2 % noise: lengths that hardly ever agree, the same as
energies of runs under two loads, and repeats of a 7 × 7 grid. Printed are CPU seconds, of a million
rows by default; ten at most are wanted.
"""

import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from sweetspot import published
from sweetspot.energy_models import form

SEED = 2602
MODEL = "llama-3.1-8b"


def tables(rows: int) -> dict[str, pd.DataFrame]:
    """Return the tables by what they are."""
    rng = np.random.default_rng(SEED)
    eq5 = form("memory_flops")
    values = published.table5().set_index("model").loc[MODEL, [term.name for term in eq5.terms]]

    def drawn(inputs: np.ndarray, outputs: np.ndarray) -> pd.DataFrame:
        exact = eq5.energy_per_token_j(values.to_numpy(float), inputs, outputs)
        return pd.DataFrame(
            {
                "model": MODEL,
                "input_tokens": inputs,
                "output_tokens": outputs,
                "energy_per_token_j": exact * (1 + 0.02 * rng.standard_normal(rows)),
            }
        )

    distinct = drawn(rng.integers(16, 8192, rows), rng.integers(16, 4096, rows))
    runs = distinct.assign(requests=rng.choice([32, 128], rows))
    runs["energy_j"] = runs.pop("energy_per_token_j") * runs["requests"] * runs["output_tokens"]
    grid = list(published.GRID)
    return {
        "distinct rows": distinct,
        "energies of runs, two loads": runs,
        "repeats of 49 cells": drawn(rng.choice(grid, rows), rng.choice(grid, rows)),
    }


def main(rows: int) -> None:
    """Print one line a table."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "rows.csv")
        for what, table in tables(rows).items():
            table.to_csv(path, index=False)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            command = [sys.executable, "-m", "sweetspot", "fit", str(path)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"{what:<30}{rows:>10} rows{spent:>8.1f} CPU s", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
