"""Packages that a command needs and this Python lacks, in words: no traceback for a plain install.

Which they are is said in pyproject.toml; a test holds both against each other.
"""

# Names to import -> names to install.
CORE = {"numpy": "numpy", "pynvml": "nvidia-ml-py", "yaml": "pyyaml"}
ENDPOINT = frozenset({"aiohttp"})
ANALYSIS = frozenset({"matplotlib", "pandas", "plotly", "scipy"})


def missing_package(error: ImportError) -> str | None:
    """Return what to install, in one line; None where no package of ours is missing."""
    # pandas words an import that failed anew: which one it was is in the cause
    for each in (error, error.__cause__):
        name = each.name if isinstance(each, ModuleNotFoundError) else None
        if name in ANALYSIS:
            return (
                f"this command needs the extra `analysis` ({name} is missing):"
                " pip install '.[analysis]' in a clone, or 'WHEEL[analysis]' with the wheel's file"
            )
        if name in ENDPOINT:
            return (
                f"measuring a server needs the extra `endpoint` ({name} is missing):"
                " pip install '.[endpoint]' in a clone, or 'WHEEL[endpoint]' with the wheel's file"
            )
        if name in CORE:
            return f"{name} is missing: pip install {' '.join(CORE.values())}"
    return None
