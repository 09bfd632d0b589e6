#!/usr/bin/python3
"""The mechanical rules of the tree. Prints "file:line: what" for each breach and ends with the totals.

First every rule must catch a planted breach (plants.py): a check that cannot fail proves nothing.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import layers
import plants
import programs
import sizes
import text
import workers
from tree import Tree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

RULES = {
    "layers": layers.directions,
    "headers of others": layers.system_headers,
    "header guards": layers.headers,
    "worker calls": workers.calls,
    "sizes": sizes.sizes,
    "white space": text.whitespace,
    "private places": text.private,
    "X-macro names": text.x_macros,
    "packages": text.packages,
    "clang-format": programs.clang_format,
    "shell": programs.shell,
    "python": programs.python,
    "man pages": programs.manuals,
}


def main():
    passed = failed = 0
    tree = Tree(sys.argv[1] if len(sys.argv) > 1 else ROOT)
    for name, rule in RULES.items():
        breaches = list(rule(tree))
        for breach in breaches:
            print(breach)
        missed = plants.missed(name, rule)
        for plant in missed:
            print(f"tests/lint: the rule '{name}' does not see {plant}")
        failed += bool(breaches) + len(missed)
        passed += (not breaches) + plants.count(name) - len(missed)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
