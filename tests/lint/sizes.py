"""A function is a paragraph, a file is one idea: past the limits only with a reason in exceptions.txt."""

import re

FUNCTION_LINES = 80
FILE_LINES = 500
TEST_FILE_LINES = 1000  # cases of one story stand side by side


def exceptions(tree):
    """{"path" or "path:function": reason}."""
    listed = {}
    if "tests/lint/exceptions.txt" in tree.files:
        for line in tree.text("tests/lint/exceptions.txt").splitlines():
            found = re.match(r"(\S+)\s+(\S.*)", line)
            if found and not line.startswith("#"):
                listed[found.group(1)] = found.group(2)
    return listed


def sizes(tree):
    allowed = exceptions(tree)
    used = set()
    for function in tree.functions:
        if function.length > FUNCTION_LINES:
            key = f"{function.path}:{function.name}"
            used.add(key)
            if key not in allowed:
                yield (f"{function.path}:{function.first}: {function.name} has {function.length} lines, "
                       f"at most {FUNCTION_LINES}: a function is a paragraph")
    for path in tree.select(".c", ".h", ".py", ".sh"):
        lines, most = tree.text(path).count("\n"), TEST_FILE_LINES if path.startswith("tests/") else FILE_LINES
        if lines > most:
            used.add(path)
            if path not in allowed:
                yield f"{path}:1: {lines} lines, at most {most}: two ideas in one file"
    for key in sorted(set(allowed) - used):
        yield f"tests/lint/exceptions.txt:1: {key} needs no exception any more"
