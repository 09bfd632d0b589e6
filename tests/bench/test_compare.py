#!/usr/bin/python3
"""Comparing two runs of the bench: what stands beside what, and what is told of the rest."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from bench import compare
from lib import tap


def run(*scenarios, huge=True):
    return {"hugePages": huge, "scenarios": [
        {"name": name, "noisy": noisy, "path": {"min": path, "median": path + 9}, "total": {"min": total, "median": 0}}
        for name, path, total, noisy in scenarios]}


def lines(old, new):
    return list(compare.table(old, new))


@tap.case
def ratios_are_new_by_old_of_minima():
    line = lines(run(("a", 100, 200, False)), run(("a", 50, 300, False)))[1]
    assert line.split() == ["a", "100", "50", "0.50", "200", "300", "1.50"], line


@tap.case
def names_match_whatever_their_order():
    table = lines(run(("a", 1, 1, False), ("b", 10, 10, False)), run(("b", 20, 20, False), ("a", 3, 3, False)))
    assert [line.split()[0] for line in table[1:]] == ["b", "a"], table
    assert [line.split()[3] for line in table[1:]] == ["2.00", "3.00"], table


@tap.case
def what_one_run_lacks_is_told():
    table = lines(run(("a", 1, 1, False), ("gone", 1, 1, False)), run(("a", 1, 1, False), ("new", 1, 1, False)))
    assert len(table) == 4, table
    assert "only in the new run: new" in table and "only in the old run: gone" in table, table


@tap.case
def noise_of_either_run_marks_the_line():
    for old, new in ((True, False), (False, True)):
        assert lines(run(("a", 1, 1, old)), run(("a", 1, 1, new)))[1].endswith("noisy")
    assert not lines(run(("a", 1, 1, False)), run(("a", 1, 1, False)))[1].endswith("noisy")


@tap.case
def a_figure_of_nothing_divides_nothing():
    assert lines(run(("a", 0, 0, False)), run(("a", 5, 5, False)))[1].split().count("-") == 2


@tap.case
def runs_with_and_without_huge_pages_are_not_alike():
    assert "don't compare" in lines(run(huge=True), run(huge=False))[-1]


tap.main()
