"""Imports point one way, and planning a workflow loads nothing heavy."""

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import sweetspot
from sweetspot.cli.extras import ANALYSIS, CORE

PACKAGE = Path(sweetspot.__file__).parent

# A unit (module or folder of the package) imports from earlier lines only, or from itself.
PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
LAYERS = re.search(r"(?ms)^```layers\n(.*?)^```", PAGE.read_text(encoding="utf-8"))[1]
LAYER = {unit: level for level, line in enumerate(LAYERS.splitlines()) for unit in line.split()}
# The namespace itself, which loads prediction on first use, and `python -m`.
ENTRANCES = {"", "__main__"}

# What is drawn, fitted and tabulated is a table of cells, whatever made it.
READERS = ("analysis", "tables", "figures", "energy_models")
MAKERS = ("simulator", "engines", "metering", "measure", "plan", "ask")


def modules():
    """Return the path of each module by its dotted name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def unit_of(module):
    """Return the unit of a module; the package's own top is the unit ""."""
    return module.partition(".")[2].partition(".")[0]


@cache
def imported(module):
    """Return the full names that a module imports, wherever in it the statement stands."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in MODULES else node.module)
    return found


@pytest.fixture(scope="module")
def graph():
    """Return the modules of the package that each of them imports."""
    return {module: imported(module) & MODULES.keys() for module in MODULES}


def test_every_unit_has_a_layer():
    assert {unit_of(module) for module in MODULES} - ENTRANCES == set(LAYER)
    assert len(LAYERS.split()) == len(LAYER)


def test_modules_import_from_lower_layers_only(graph):
    for module in MODULES:
        unit = unit_of(module)
        for name in () if unit in ENTRANCES else graph[module]:
            other = unit_of(name)
            # the version stands in the package's top, which loads nothing by itself
            assert other in ("", unit) or LAYER[other] < LAYER[unit], f"{module} imports {name}"


ROOMS = re.search(r"(?ms)^```rooms\n(.*?)^```", PAGE.read_text(encoding="utf-8"))[1]
FLOOR = {room: level for level, line in enumerate(ROOMS.splitlines()) for room in line.split()}


def room_of(module):
    """Return the room of a module of the simulator; "" for its guide and for other modules."""
    return module.partition("sweetspot.simulator.")[2].partition(".")[0]


def test_rooms_of_the_simulator_import_from_lower_floors_only(graph):
    assert {room_of(module) for module in MODULES} - {""} == set(FLOOR)
    for module in filter(room_of, MODULES):
        rooms = {room_of(name) for name in graph[module]} - {"", room_of(module)}
        above = {room for room in rooms if FLOOR[room] >= FLOOR[room_of(module)]}
        assert not above, f"{module} imports {above}"


def test_modules_have_no_cycle(graph):
    below_the_top = {
        module: {name for name in names if unit_of(name)}
        for module, names in graph.items()
        if unit_of(module)
    }
    TopologicalSorter(below_the_top).prepare()  # raises CycleError


def test_readers_of_cells_know_nothing_of_what_made_them(graph):
    for module, names in graph.items():
        if unit_of(module) in READERS:
            assert not {unit_of(name) for name in names} & set(MAKERS), module


def test_library_knows_nothing_of_snakemake():
    for module in MODULES:
        assert not {n for n in imported(module) if n.partition(".")[0] == "snakemake"}, module


def reached(graph, module):
    """Return all modules that a module imports, directly or not, now or when called."""
    found, waiting = set(), [module]
    while waiting:
        each = waiting.pop()
        # the package's top names what it offers, and loads none of it by itself
        if each in MODULES and each not in found and unit_of(each):
            found.add(each)
            waiting += [*graph[each], each.rpartition(".")[0]]
    return found


@pytest.mark.parametrize(
    "module", ["ask.predict", "ask.load", "campaign.run", "catalog", "measure.measure"]
)
def test_core_needs_no_package_of_an_extra(graph, module):
    modules = reached(graph, f"sweetspot.{module}")
    packages = {name.partition(".")[0] for each in modules for name in imported(each)}
    assert packages & CORE.keys()
    assert not packages & ANALYSIS


PLANNING = """
import importlib, sys
for module in {modules}:
    importlib.import_module(module)
    loaded = [name for name in {heavy} if name in sys.modules]
    if loaded:
        sys.exit(f"{{module}} loads {{loaded}}")
"""


def test_planning_loads_nothing_heavy():
    planning = [
        "config",
        "plan.plan",
        "outputs",
        "measure.work",
        "files",
        "engines.preflight",
        "cli",
    ]
    heavy = ["numpy", "pandas", "scipy", "matplotlib", "snakemake"]
    modules = ["sweetspot", "sweetspot.cli", *(f"sweetspot.{name}" for name in planning)]
    code = PLANNING.format(modules=modules, heavy=[*heavy, "pynvml"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
