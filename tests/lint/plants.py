"""Planted breaches: small trees that a rule must refuse, and one that it must let pass."""

import os
import tempfile

from tree import Tree

FORMAT = "BasedOnStyle: LLVM\n"
LONG_FUNCTION = "int\nf(void)\n{\n" + "\tg();\n" * 90 + "}\n"
WORKER = "/* Worker. Counts. */\nvoid\ncount(void)\n{\n\t%s;\n}\n"

# rule: [(path, text, breach expected)]
PLANTS = {
    "layers": [
        ("control/a.c", '#include "dataplane/worker.h"\n', True),
        ("config/a.c", '#include "drivers/port.h"\n', True),
        ("drivers/a.h", '#include "dataplane/sa.h"\n', True),
        ("dataplane/a.c", '#include "control/world.h"\n', True),
        ("dataplane/a.c", '#include "sa.h"\n', True),
        ("control/strongswan/a.c", '#include "dataplane/dataplane.h"\n', True),
        ("control/a.c", '#include "dataplane/dataplane.h"\n#include "config/config.h"\n', False),
        ("dataplane/a.c", '#include "drivers/crypto.h"\n#include "config/address.h"\n', False),
    ],
    "headers of others": [
        ("dataplane/a.c", "#include <intel-ipsec-mb.h>\n", True),
        ("drivers/crypto.h", "#include <intel-ipsec-mb.h>\n", True),
        ("dataplane/a.c", "#include <rte_ethdev.h>\n", True),
        ("dataplane/a.c", "void f(void)\n{\n\trte_eth_tx_burst(0, 0, p, n);\n}\n", True),
        ("control/a.c", "#include <rte_flow.h>\n", True),
        ("config/a.c", "#include <rte_common.h>\n", True),
        ("control/a.c", "#include <yaml.h>\n", True),
        ("drivers/crypto_imb.h", "#include <intel-ipsec-mb.h>\n#include <rte_mbuf.h>\n", False),
        ("dataplane/a.c", "/* rte_eth_tx_burst() is in drivers/ */\n#include <rte_mbuf.h>\n", False),
    ],
    "header guards": [("drivers/a.h", "int f(void);\n", True), ("drivers/a.h", "#pragma once\n", False)],
    "worker calls": [
        ("dataplane/a.c", WORKER % "p = malloc(3)", True),
        ("dataplane/a.c", WORKER % "rte_spinlock_lock(&l)", True),
        ("dataplane/a.c", WORKER % 'log_warn("x")', True),
        ("dataplane/a.c", WORKER % "clock_gettime(0, &t)", True),
        ("dataplane/parse.c", "static int\nf(void)\n{\n\treturn time(NULL);\n}\n", True),
        ("dataplane/a.c", "/* Control. */\nvoid *\nf(void)\n{\n\treturn malloc(3);\n}\n", False),
        ("dataplane/a.c", WORKER % "rte_pktmbuf_free(m); /* never free() */ x.time(3); y->read(4)", False),
    ],
    "sizes": [
        ("dataplane/a.c", LONG_FUNCTION, True),
        ("dataplane/a.c", "int x;\n" * 501, True),
        ("tests/lint/exceptions.txt", "dataplane/gone.c it was long\n", True),
        ("dataplane/a.c", "int\nf(void)\n{\n" + "\tg();\n" * 70 + "}\n", False),
    ],
    "white space": [
        ("config/a.c", "int x; \n", True), ("config/a.c", "int x;\r\n", True), ("config/a.c", "int x;", True),
        ("config/a.c", "\tint x;\n", False),
    ],
    "private places": [
        ("README.md", "see /ho" "me/jo/notes\n", True), ("a.py", "host = 'build7.cor" "p'\n", True),
        ("README.md", "see /etc/isthmus and vnet.local\n", False),
    ],
    "X-macro names": [
        ("dataplane/d.h", '#define ROWS(X) \\\n\tX(A, "a") \\\n\tX(A, "b")\n', True),
        ("dataplane/d.h", '#define ROWS(X) \\\n\tX(A, "a") \\\n\tX(B, "a")\n', True),
        ("dataplane/d.h", '#define ROWS(X) \\\n\tX(A, "a") \\\n\tX(B, "b")\n', False),
    ],
    "packages": [
        ("tests/packages.txt", "gcc\nclang\n", True), ("tests/packages.txt", "gcc\ngcc\n", True),
        ("tests/packages.txt", "clang\ngcc\n", False),
    ],
    "clang-format": [("config/a.c", "int   x ;\n", True), ("config/a.c", "int x;\n", False)],
    "shell": [("a.sh", "#!/bin/sh\nif true; then\n", True), ("a.sh", "#!/bin/sh\necho $1\n", True),
              ("a.sh", "#!/bin/sh\necho \"$1\"\n", False)],
    "python": [("a.py", "def f(:\n", True), ("a.py", "#!/usr/bin/env python3\n", True),
               ("a.py", "#!/usr/bin/python3\n", False)],
    "man pages": [
        ("a.8", ".Dd January 1, 2026\n.Dt A 8\n.Os\n.Sh NAME\n.Nm a\n.Nd b\n.Zz c\n", True),
        ("a.8", ".Dd January 1, 2026\n.Dt A 8\n.Os\n.Sh NAME\n.Nm a\n.Nd a program\n", False),
    ],
}


def count(rule):
    return len(PLANTS[rule])


def missed(name, rule):
    """The plants that a rule judges wrongly."""
    wrong = []
    for path, text, expected in PLANTS[name]:
        with tempfile.TemporaryDirectory() as root:
            plant(root, ".clang-format", FORMAT)
            plant(root, path, text)
            if bool(list(rule(Tree(root)))) != expected:
                wrong.append(f"{'the breach' if expected else 'that nothing is wrong'} in {path}: {text[:60]!r}")
    return wrong


def plant(root, path, text):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8", newline="") as file:
        file.write(text)
