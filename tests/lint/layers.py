"""The layers point one way: control -> dataplane -> drivers -> config."""

import re

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)

# A layer may include itself and what stands to its right.
LAYERS = ["control", "dataplane", "drivers", "config"]

# Where a system header may be included, by pattern of the header.
ONLY_IN = [
    (r"(intel-ipsec-mb|ipsec-mb)\.h$", r"^drivers/crypto_imb\.h$", "only drivers/crypto_imb.h sees IPsec-MB"),
    (r"^rte_(ethdev|eth_|ethctrl|flow|bus_)", r"^drivers/", "ethdev stays in drivers/"),
    (r"^(bpf|xdp)/|^linux/(bpf|if_xdp)\.h$", r"^drivers/", "BPF and XDP stay in drivers/"),
    (r"^rte_", r"^(drivers|dataplane|control)/", "config is pure C, without DPDK"),
    (r"^yaml\.h$", r"^config/", "the parser library stays in config/"),
]

# Symbols that would get past the include rule through another header.
ETHDEV_CALL = re.compile(r"\brte_(eth|flow)_[a-z_]+\s*\(")


def includes(tree, path):
    """(line, is_ours, header) of each include."""
    text = tree.text(path)
    for found in INCLUDE.finditer(text):
        yield text.count("\n", 0, found.start()) + 1, found.group(1) == '"', found.group(2)


def directions(tree):
    """Includes between our folders."""
    for path in tree.c_files:
        layer = path.split("/")[0]
        if layer not in LAYERS:
            continue
        for line, ours, header in includes(tree, path):
            target = header.split("/")[0]
            if ours and "/" not in header and not path.endswith(".bpf.c"):
                yield f'{path}:{line}: includes are written from the root: "{header}"'
            if target not in LAYERS:
                continue
            if LAYERS.index(target) < LAYERS.index(layer):
                yield f"{path}:{line}: {layer} must not include {header}: the layers point one way"
            if layer == "control" and target == "dataplane" and header != "dataplane/dataplane.h":
                yield f"{path}:{line}: control sees one dataplane header, dataplane/dataplane.h, not {header}"
            if path.startswith("control/strongswan/") and target in ("dataplane", "drivers"):
                yield f"{path}:{line}: the charon plugin links nothing of ours but the protocol: {header}"


def system_headers(tree):
    """Third-party headers where they belong."""
    for path in tree.c_files:
        if path.startswith("tests/"):
            continue
        for line, ours, header in includes(tree, path):
            for pattern, where, why in ONLY_IN:
                if not ours and re.search(pattern, header) and not re.search(where, path):
                    yield f"{path}:{line}: <{header}>: {why}"
        if path.startswith(("dataplane/", "control/", "config/")):
            code = tree.code(path)
            for call in ETHDEV_CALL.finditer(code):
                line = code.count("\n", 0, call.start()) + 1
                yield f"{path}:{line}: {call.group(0).rstrip('( ')}: ethdev stays in drivers/"


def headers(tree):
    """Every header guards itself."""
    for path in tree.select(".h"):
        if "#pragma once" not in tree.text(path) and not path.endswith(".bpf.h"):
            yield f"{path}:1: no #pragma once"
