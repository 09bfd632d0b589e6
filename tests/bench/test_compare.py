#!/usr/bin/python3
"""Comparing two runs of the bench: what stands beside what, and what is told of the rest."""

import json
import os
import subprocess
import sys
import tempfile

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
def a_run_beside_itself_is_all_ones():
    one = run(("a", 100, 200, False), ("b", 7, 9, False))
    table = lines(one, one)
    assert len(table) == 3, table
    assert [line.split()[3::3] for line in table[1:]] == [["1.00", "1.00"]] * 2, table


@tap.case
def a_slower_row_is_above_one_and_alone():
    before = run(("a", 100, 200, False), ("b", 100, 200, False))
    table = lines(before, run(("a", 100, 200, False), ("b", 125, 210, False)))
    assert [line.split()[3::3] for line in table[1:]] == [["1.00", "1.00"], ["1.25", "1.05"]], table


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


def with_floor(*floors):
    one = run(*((f"s{i}", 100, 200, False) for i in range(len(floors))))
    for scenario, floor in zip(one["scenarios"], floors):
        scenario["ipsecMb"] = {"min": floor, "median": floor}
    return one


@tap.case
def another_clock_is_told_by_the_library_alone():
    assert "took 0.92 times" in lines(with_floor(100, 50, 200), with_floor(92, 46, 184))[-1]
    assert "took 1.06 times" in lines(with_floor(100, 50, 200), with_floor(106, 53, 212))[-1]


@tap.case
def one_odd_floor_is_no_other_machine():
    for new in (with_floor(100, 50, 200), with_floor(104, 52, 208), with_floor(100, 50, 900), with_floor(10, 50, 200)):
        assert not any("machine" in line for line in lines(with_floor(100, 50, 200), new))


# ---- the program, with files -------------------------------------------------------------------------

def program(old, new, command=(sys.executable, compare.__file__)):
    """Texts of the two files (None: there is no such file). Returns exit status, output and errors."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("old.json", "new.json")]
        for path, text in zip(paths, (old, new)):
            if text is not None:
                with open(path, "wb") as f:
                    f.write(text if isinstance(text, bytes) else text.encode())
        done = subprocess.run([*command, *paths], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr


GOOD = json.dumps(run(("a", 1, 1, False)))


@tap.case
def files_make_the_table():
    status, out, err = program(GOOD, json.dumps(run(("a", 2, 3, False))))
    assert status == 0 and err == "", (status, err)
    assert out.splitlines()[1].split() == ["a", "1", "2", "2.00", "1", "3", "3.00"], out


def refused(old, new, *parts):
    status, out, err = program(old, new)
    assert status == 1 and out == "", (status, out)
    assert "Traceback" not in err and err.count("\n") == 1, err
    for part in parts:
        assert part in err, (part, err)


BAD = {
    "that_ends_early": (GOOD[:30], ":1:"),
    "with_a_slip_on_line_three": ('{"hugePages": true,\n"scenarios": [\n{"name" 7}]}', ":3:9: "),
    "of_no_text": (b"\xff\xfe{}", "byte 0"),
    "that_is_missing": (None, "No such file"),
    "of_something_else": ("[1, 2]", "no list of scenarios"),
    "of_an_interrupted_run": ("", ":1:1: "),
    "with_a_nameless_row": ('{"scenarios": [{}]}', "scenarios[0]: no name"),
    "with_a_row_without_a_figure": (GOOD.replace('"total": {"min": 1', '"total": {"min": "x"'),
                                    "scenarios[0] (a): no number in total.min"),
}

BAD["with_a_floor_of_nothing"] = (json.dumps(with_floor(0)), "scenarios[0] (s0): ipsecMb.min is not above 0")
BAD["with_a_floor_of_no_number"] = (json.dumps(with_floor(None)), "scenarios[0] (s0): no number in ipsecMb.min")

for what, (text, place) in BAD.items():
    tap.add(f"an_old_file_{what}_is_named", refused, text, GOOD, "old.json", place)
    tap.add(f"a_new_file_{what}_is_named", refused, GOOD, text, "new.json", place)


# ---- the front, with a bench that must not start -------------------------------------------------------

FRONT = os.path.join(os.path.dirname(compare.__file__), "run.sh")


@tap.case
def a_bad_file_is_told_before_anything_is_measured():
    status, out, err = program("{", None, (FRONT, "/nonexistent", ""))
    assert status == 1 and out == "" and "old.json:1:2" in err and "nonexistent" not in err, (status, out, err)


@tap.case
def a_file_is_not_overwritten_and_then_compared_with():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "run.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write(GOOD)
        done = subprocess.run([FRONT, "/nonexistent", path, path], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "would be overwritten" in done.stderr, done


tap.main()
