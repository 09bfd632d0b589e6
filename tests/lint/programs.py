"""Checks that other programs make: clang-format, shellcheck, python, mandoc, meson."""

import subprocess


def run(tree, *command):
    """Lines of what a failing command said; nothing when it passed."""
    done = subprocess.run(command, cwd=tree.root, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return []
    return (done.stdout + done.stderr).strip().splitlines() or [f"{command[0]}: exit status {done.returncode}"]


def clang_format(tree):
    if tree.c_files:
        lines = run(tree, "clang-format", "--dry-run", "-Werror", "--ferror-limit=1", "--style=file", *tree.c_files)
        yield from (line for line in lines if "error:" in line)


def shell(tree):
    scripts = [f for f in tree.files if f.endswith(".sh") or tree.text(f).startswith(("#!/bin/sh", "#!/bin/bash"))]
    if scripts:
        yield from run(tree, "shellcheck", "--format=gcc", *scripts)


def python(tree):
    for path in tree.select(".py"):
        try:
            compile(tree.text(path), path, "exec")
        except SyntaxError as error:
            yield f"{path}:{error.lineno}: {error.msg}"
        first = tree.text(path).split("\n", 1)[0]
        if first.startswith("#!") and first != "#!/usr/bin/python3":
            yield f"{path}:1: {first}: another python may come first in PATH, use #!/usr/bin/python3"


def manuals(tree):
    pages = [f for f in tree.files if f.endswith((".1", ".5", ".8"))]
    if pages:
        yield from (line for line in run(tree, "mandoc", "-Tlint", "-Wwarning", *pages)
                    if "WARNING" in line or "ERROR" in line or "UNSUPP" in line)
