#!/usr/bin/python3
"""Runs the suites and ends with the totals: "N passed, N failed".

Every test program, C or Python, reports its cases in TAP; each case counts. A program that dies, hangs or reports
fewer cases than it planned adds one failure. A suite named on the command line runs alone; order is SUITES'.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = "/usr/bin/python3"
TSAN_TESTS = ("channel", "esp_numbers", "flow_race", "replay", "view_sas")
# Scripts that measure time and rates, or emulate a machine that does not like to wait.
ALONE = ("0_kernel_peer", "generator", "ike_many", "ike_rekey", "kernel", "kernel_charon", "soak", "wire")
# DPDK's types for unaligned words are plain integers on x86, where that is legal.
NO_ALIGNMENT = "-Dc_args=-fno-sanitize=alignment"
TAP_LINE = re.compile(r"^(ok|not ok) \d+(?: - (.*?))?(?:\s*# SKIP ?(.*))?$")


class Totals:
    """What was seen so far, over all suites."""

    def __init__(self):
        self.passed = self.failed = 0
        self.skipped = []
        self.failures = []

    def add(self, where, verdict, name, why=""):
        if verdict == "skip":
            self.skipped.append(f"{where}: {name}: {why or 'no reason given'}")
        elif verdict == "pass":
            self.passed += 1
        else:
            self.failed += 1
            self.failures.append(f"{where}: {name}")


def parse_tap(output):
    """The cases in a program's output as (verdict, name, why), and how many it planned (None: no plan)."""
    cases, planned = [], None
    for line in output.splitlines():
        plan = re.match(r"^1\.\.(\d+)$", line)
        if plan:
            planned = (planned or 0) + int(plan.group(1))  # one plan per cmocka group
            continue
        found = TAP_LINE.match(line)
        if not found:
            continue
        status, name, why = found.groups()
        verdict = "skip" if why is not None else "pass" if status == "ok" else "fail"
        cases.append((verdict, name or "(unnamed)", why or ""))
    return cases, planned


def execute(command, timeout, environment):
    """Run one program in its own process group. Returns (exit status or None when it hung, output)."""
    try:
        started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   errors="replace", cwd=ROOT, env={**os.environ, **environment},
                                   start_new_session=True)
    except OSError as error:  # not built
        return 127, str(error)
    with started as process:
        try:
            output, _ = process.communicate(timeout=timeout)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            # SIGTERM first: scripts remove their namespaces and appliances on it.
            os.killpg(process.pid, signal.SIGTERM)
            try:
                output, _ = process.communicate(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                output, _ = process.communicate()
            return None, output


def run_program(totals, suite, name, command, timeout=300, environment=None):
    """Run one test program, count its cases, print one line (and all of its output when something failed)."""
    began = time.monotonic()
    status, output = execute(command, timeout, {"CMOCKA_MESSAGE_OUTPUT": "tap", **(environment or {})})
    cases, planned = parse_tap(output)
    where = f"{suite}/{name}"

    failed = sum(verdict == "fail" for verdict, _, _ in cases)
    skipped = sum(verdict == "skip" for verdict, _, _ in cases)
    for verdict, case, why in cases:
        totals.add(where, verdict, case, why)
    broken = None
    if status is None:
        broken = f"hung for {timeout} s"
    elif status != 0 and not failed:
        broken = f"exit status {status}"
    elif planned is None or planned != len(cases):
        broken = f"planned {planned} cases, reported {len(cases)}"
    if broken:
        totals.add(where, "fail", broken)

    text = f"{suite:<8} {name:<28} {len(cases) - failed - skipped:5} passed"
    text += f", {failed} failed" if failed else ""
    text += f", {skipped} skipped" if skipped else ""
    text += f", {broken}" if broken else ""
    print(f"{text}  ({time.monotonic() - began:.1f} s)", flush=True)
    if failed or broken:
        print("\n".join("    " + line for line in output.splitlines()[-200:]), flush=True)


def meson_build(totals, suite, build, *options, environment=None, targets=()):
    """Configure and compile a build folder of its own, all of it or some targets; failing is one failed case."""
    commands = []
    if not os.path.exists(os.path.join(build, "build.ninja")):
        shutil.rmtree(build, ignore_errors=True)
        commands.append(["meson", "setup", build, ROOT, *options])
    commands.append(["meson", "compile", "-C", build, *targets])
    began = time.monotonic()
    for command in commands:
        status, output = execute(command, 900, environment or {})
        if status != 0:
            print("\n".join("    " + line for line in output.splitlines()[-60:]), flush=True)
            totals.add(suite, "fail", "builds without a warning")
            return False
    totals.add(suite, "pass", "builds without a warning")
    print(f"{suite:<8} {'(build)':<28}     1 passed  ({time.monotonic() - began:.1f} s)", flush=True)
    return True


def meson_tests(build, suite):
    """(name, command, timeout, environment) of the programs registered with meson under a suite."""
    listed = json.loads(subprocess.run(["meson", "introspect", "--tests", build], check=True, cwd=ROOT,
                                       capture_output=True, text=True).stdout)
    return [(t["name"], t["cmd"], t["timeout"] or 600, {k: v for k, v in t["env"].items()})
            for t in listed if any(s.split(":")[-1] == suite for s in t["suite"])]


def run_meson(totals, label, build, suite, slower=1, environment=None, wrap=(), only=None):
    """Two at a time: the machine that checks has two cores."""
    tests = [t for t in meson_tests(build, suite) if only is None or t[0] in only]
    with ThreadPoolExecutor(max_workers=2) as pool:
        jobs = [pool.submit(run_program, totals, label, name, [*wrap, *command], timeout * slower,
                            {**env, **(environment or {})}) for name, command, timeout, env in tests]
        for job in jobs:
            job.result()
    return len(tests)


def run_scripts(totals, suite, build, at_once):
    """tests/SUITE/test_*.py: some at a time, for most of it they wait; then those that need the machine for themselves."""
    folder = os.path.join(ROOT, "tests", suite)
    names = sorted(f[5:-3] for f in os.listdir(folder) if f.startswith("test_") and f.endswith(".py"))

    def run(name):
        run_program(totals, suite, name, [PYTHON, os.path.join(folder, f"test_{name}.py")], 900,
                    {"ISTHMUS_BUILD": os.path.abspath(build), "PYTHONPATH": os.path.join(ROOT, "tests")})

    with ThreadPoolExecutor(max_workers=at_once) as pool:
        list(pool.map(run, (name for name in names if name not in ALONE)))
    for name in names:
        if name in ALONE:
            run(name)


def suite_unit(totals, build):
    run_meson(totals, "unit", build, "unit")


def suite_whole(totals, build):
    run_meson(totals, "whole", build, "whole")


def suite_interop(totals, build):
    run_meson(totals, "interop", build, "interop")
    run_scripts(totals, "interop", build, 2)  # peers that work in userland, with lifetimes of seconds


def suite_system(totals, build):
    if os.getuid() != 0:
        totals.add("system", "skip", "all of it", "namespaces need root")
        return
    run_scripts(totals, "system", build, 3)


def suite_asan(totals, _build):
    """All of it by clang, too, so this is also the build with another compiler's warnings, and the fuzzers are in it."""
    build = os.path.join(ROOT, "build-fuzz")
    # DPDK keeps what it allocates at start until the process ends.
    environment = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
                   "LSAN_OPTIONS": f"suppressions={ROOT}/tests/lib/lsan.supp:print_suppressions=0",
                   "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    if meson_build(totals, "asan", build, "-Dfuzz=true", "-Doptimization=1", "-Ddebug=false",
                   "-Db_sanitize=address,undefined", "-Db_lundef=false",
                   f"{NO_ALIGNMENT} -fsanitize=fuzzer-no-link -gline-tables-only",
                   environment={"CC": "clang"}):
        run_meson(totals, "asan", build, "unit", 4, environment)
        run_meson(totals, "asan", build, "whole", 4, environment)


def suite_tsan(totals, _build):
    build = os.path.join(ROOT, "build-tsan")
    if meson_build(totals, "tsan", build, "-Doptimization=1", "-Ddebug=true", "-Db_sanitize=thread",
                   "-Db_lundef=false", targets=["test_" + name for name in TSAN_TESTS]):
        # gcc 12's TSan gives up under the address-space randomisation of recent kernels.
        run_meson(totals, "tsan", build, "unit", 4, {"TSAN_OPTIONS": "halt_on_error=1"}, ["setarch", "-R"],
                  only=TSAN_TESTS)


def suite_fuzz(totals, _build):
    run_program(totals, "fuzz", "all targets", [os.path.join(ROOT, "tests/fuzz/run.sh"), "20"], 900)


SUITES = {"unit": suite_unit, "whole": suite_whole, "interop": suite_interop, "system": suite_system,
          "asan": suite_asan, "tsan": suite_tsan, "fuzz": suite_fuzz}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="build folder (default: build)")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="of " + " ".join(SUITES))
    args = parser.parse_args()
    unknown = set(args.suites) - set(SUITES)
    if unknown:
        parser.error("no such suite: " + " ".join(sorted(unknown)))
    # A foreign python3 first in PATH must not reach the scripts.
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin:" + os.environ.get("PATH", "")
    build = os.path.abspath(args.build)

    totals = Totals()
    for name in SUITES:
        if not args.suites or name in args.suites:
            SUITES[name](totals, build)

    for title, entries in (("skipped:", totals.skipped), ("failed:", totals.failures)):
        if entries:
            print(title)
            print("\n".join("  " + entry for entry in entries))
    print(f"{totals.passed} passed, {totals.failed} failed")
    sys.exit(1 if totals.failed or not totals.passed else 0)


if __name__ == "__main__":
    main()
