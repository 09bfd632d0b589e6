"""Cases of a test script, reported in TAP (the format cmocka speaks too).

    @case
    def replies_pass(): ...

    tap.main()

A case passes when it returns, is skipped by `skip("why")`, fails by any exception. Names may be given on the
command line to run only those; `--list` prints them.
"""

import sys
import time
import traceback


class Skip(Exception):
    """Raised by skip(): the case cannot run here; the text says why."""


_cases = []


def case(function):
    """Register a function under its own name."""
    _cases.append((function.__name__, function))
    return function


def add(name, function, *args):
    """Register one case of a table."""
    _cases.append((name, lambda: function(*args)))


def skip(why):
    raise Skip(why)


def skip_all(name, why):
    """Instead of main(): nothing of this script can run here."""
    print(f"1..1\nok 1 - {name} # SKIP {why}", flush=True)
    sys.exit(0)


def main():
    """Run the registered cases and exit: 0 all passed or skipped, 1 some failed."""
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    cases = [c for c in _cases if not wanted or any(w in c[0] for w in wanted)]
    if "--list" in sys.argv:
        print("\n".join(name for name, _ in cases))
        sys.exit(0)

    print(f"1..{len(cases)}", flush=True)
    failed = 0
    for number, (name, function) in enumerate(cases, 1):
        began = time.monotonic()
        try:
            function()
            verdict = f"ok {number} - {name}"
        except Skip as why:
            verdict = f"ok {number} - {name} # SKIP {why}"
        except Exception:  # one case must not stop the others
            failed += 1
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            verdict = f"not ok {number} - {name}"
        print(f"{verdict}\n# {time.monotonic() - began:.1f} s", flush=True)
    sys.exit(1 if failed else 0)
