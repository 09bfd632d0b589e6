"""Text of every file: white space, places of somebody's machine, names that must be unique."""

import re

BINARY = (".png", ".pcap", ".bin", ".gz", ".der")
# Corpus and captures are data, Markdown ends lines with two blanks on purpose.
DATA = re.compile(r"^tests/(fuzz/corpus|.*/data)/")

# Paths and hosts of one machine have no place in the tree. Written in two parts so that this file passes.
PRIVATE = [re.compile(p) for p in (
    r"(?<!\w)/home/[a-z]", r"(?<!\w)/root/[a-z.]", r"(?<!\w)/Users/[A-Z]", r"(?<!\w)/wo" r"rk/", r"/mnt/[a-z]",
    r"\b[a-z0-9-]+\.(internal|corp|lan|intranet)\b", r"BEGIN [A-Z ]*PRIVATE KEY")]


def whitespace(tree):
    for path in tree.files:
        if path.endswith(BINARY) or DATA.match(path):
            continue
        text = tree.text(path)
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip() and not path.endswith(".md"):
                yield f"{path}:{number}: white space at the end of the line"
            if "\r" in line:
                yield f"{path}:{number}: carriage return"
        if text and not text.endswith("\n"):
            yield f"{path}:{text.count(chr(10)) + 1}: no newline at the end of the file"


def private(tree):
    for path in tree.files:
        if path.endswith(BINARY) or DATA.match(path):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            for pattern in PRIVATE:
                found = pattern.search(line)
                if found:
                    yield f"{path}:{number}: belongs to one machine: {found.group(0)}"


def x_macros(tree):
    """The rows of an X-macro list: symbol and text name are unique in their list, the list is used in one file."""
    for path in tree.c_files:
        text = tree.text(path)
        for found in re.finditer(r"^#define (\w+)\(X\)((?:.*\\\n)+.*)", text, re.M):
            table = found.group(1)
            rows = re.findall(r'\bX\(\s*(\w+)\s*(?:,\s*"([^"]*)")?', found.group(2))
            at = text.count("\n", 0, found.start()) + 1
            for column in (0, 1):
                names = [row[column] for row in rows if row[column]]
                for name in sorted({n for n in names if names.count(n) > 1}):
                    yield f"{path}:{at}: {table} names {name} twice"
            if not rows:
                yield f"{path}:{at}: {table} has no rows"


def packages(tree):
    """tests/packages.txt is sorted and names each package once."""
    path = "tests/packages.txt"
    if path in tree.files:
        names = [line for line in tree.text(path).splitlines() if line and not line.startswith("#")]
        if names != sorted(set(names)):
            yield f"{path}:1: not sorted, or a package twice"
