"""The tree under check: its files and their C functions, each read once."""

import json
import os
import re
import subprocess
from functools import cached_property


class Function:
    """One C function: where it stands, its body and the comment that leads it."""

    def __init__(self, name, path, first, last, lines):
        self.name, self.path, self.first, self.last = name, path, first, last
        self.body = lines[first - 1:last]
        self.comment = leading_comment(lines, first - 1)

    @property
    def length(self):
        return self.last - self.first + 1


def leading_comment(lines, at):
    """The comment directly above the line with index `at` (the return type may stand between)."""
    end = at
    while end > 0 and lines[end - 1].strip() and not lines[end - 1].rstrip().endswith(("*/", "}", ";")):
        end -= 1
    start = end
    while start > 0 and lines[start - 1].strip():
        start -= 1
        if lines[start].lstrip().startswith("/*"):
            return "\n".join(lines[start:end])
    return ""


def without_comments(text):
    """C text with comments and string contents blanked, line numbers kept."""
    def blank(found):
        return re.sub(r"[^\n]", " ", found.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


class Tree:
    def __init__(self, root):
        self.root = root

    @cached_property
    def files(self):
        """Paths from the root: what git tracks or would track; all files where there is no git."""
        if os.path.isdir(os.path.join(self.root, ".git")):
            listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                    cwd=self.root, check=True, capture_output=True, text=True).stdout.split("\0")
        else:
            listed = [os.path.relpath(os.path.join(folder, name), self.root)
                      for folder, _, names in os.walk(self.root) for name in names]
        return sorted(f for f in listed if f and os.path.isfile(os.path.join(self.root, f)))

    def select(self, *endings, under=""):
        return [f for f in self.files if f.endswith(endings) and f.startswith(under)]

    @property
    def c_files(self):
        return self.select(".c", ".h")

    def text(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace", newline="") as file:
            return file.read()

    def code(self, path):
        return without_comments(self.text(path))

    @cached_property
    def functions(self):
        """Every function of every .c file, and of the headers (inline ones)."""
        if not self.c_files:
            return []
        tags = subprocess.run(["ctags", "--output-format=json", "--fields=+ne", "--kinds-C=f", "-f", "-", "-L", "-"],
                              cwd=self.root, input="\n".join(self.c_files), check=True, capture_output=True,
                              text=True).stdout
        lines = {}
        found = []
        for row in map(json.loads, tags.splitlines()):
            path = row["path"]
            if path not in lines:
                lines[path] = self.text(path).splitlines()
            if "end" in row:
                found.append(Function(row["name"], path, row["line"], row["end"], lines[path]))
        return found


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1
