#!/usr/bin/python3
"""Two runs of the bench beside each other: compare.py OLD NEW, both as `bench --json` wrote them.

For each scenario that both have: the minimum of path and total, old and new, and new / old. With OLD alone: can it be
compared with?
"""

import json
import statistics
import sys

FIGURES = ("path", "total")
NOISE = 0.05


class Unusable(Exception):
    """A file that is no run of the bench; the text says which, where and why."""


def load(path):
    try:
        with open(path, encoding="utf-8") as f:
            run = json.load(f)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise Unusable(f"{path}:{error.lineno}:{error.colno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise Unusable(f"{path}: byte {error.start} is no UTF-8") from error
    check(path, run)
    return run


def check(path, run):
    """Is there everything that the table needs?"""
    scenarios = run.get("scenarios") if isinstance(run, dict) else None
    if not isinstance(scenarios, list):
        raise Unusable(f"{path}: no list of scenarios: not written by `bench --json`")
    for i, s in enumerate(scenarios):
        name = s.get("name") if isinstance(s, dict) else None
        if not isinstance(name, str):
            raise Unusable(f"{path}: scenarios[{i}]: no name")
        for figure in FIGURES + (("ipsecMb",) if "ipsecMb" in s else ()):
            least = s[figure].get("min") if isinstance(s.get(figure), dict) else None
            if isinstance(least, bool) or not isinstance(least, (int, float)):
                raise Unusable(f"{path}: scenarios[{i}] ({name}): no number in {figure}.min")
        if "ipsecMb" in s and s["ipsecMb"]["min"] <= 0:
            raise Unusable(f"{path}: scenarios[{i}] ({name}): ipsecMb.min is not above 0")


def pairs(old, new):
    """Scenarios of both runs in the new one's order, and names that only one has."""
    before = {s["name"]: s for s in old["scenarios"]}
    both = [(before[s["name"]], s) for s in new["scenarios"] if s["name"] in before]
    names = {s["name"] for s in new["scenarios"]}
    alone = [s["name"] for s in new["scenarios"] if s["name"] not in before]
    return both, alone, [name for name in before if name not in names]


def row(old, new):
    text = f"{new['name']:<46}"
    for figure in FIGURES:
        a, b = old[figure]["min"], new[figure]["min"]
        text += f" {a:8.0f} {b:8.0f} {b / a:6.2f}" if a else f" {a:8.0f} {b:8.0f}      -"
    if old.get("noisy") or new.get("noisy"):
        text += "  noisy"
    return text


def machine(both):
    """How many times its former cycles the library alone took: what the machine was like, whatever became of our code.
    None: no scenario has a cipher."""
    ratios = [new["ipsecMb"]["min"] / old["ipsecMb"]["min"] for old, new in both if "ipsecMb" in old and "ipsecMb" in new]
    return statistics.median(ratios) if ratios else None


def table(old, new):
    both, only_new, only_old = pairs(old, new)
    yield f"{'minimum of cycles per packet':<46}" + "".join(
        f" {f + ' old':>8} {'new':>8} {'ratio':>6}" for f in FIGURES
    )
    for a, b in both:
        yield row(a, b)
    for what, names in (("new", only_new), ("old", only_old)):
        if names:
            yield f"only in the {what} run: " + ", ".join(names)
    shift = machine(both)
    if shift and abs(shift - 1) > NOISE:
        yield (f"the machine was not the same: raw IPsec-MB took {shift:.2f} times what it took in the old run. "
               "Divide by that, or better measure both again")
    if old.get("hugePages") != new.get("hugePages"):
        yield "one run had huge pages and the other had not: don't compare"


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        runs = [load(path) for path in sys.argv[1:]]
    except Unusable as error:
        sys.exit(f"compare: {error}")
    if len(runs) == 2:
        for line in table(*runs):
            print(line)


if __name__ == "__main__":
    main()
