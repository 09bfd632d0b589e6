#!/usr/bin/python3
"""IKE with a stock charon that has ESP in userland: ciphers, groups, versions, families, fragments of IKE.

Its ESP is always in UDP and has no ESN; for these see test_kernel_charon.py.
"""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from ike_cases import Pair, of_userland, run
from ike_userland import Lab
from lib import net, tap

def main():
    net.signals_raise()
    lab = Lab()
    try:
        pair = Pair(lab.site, lab.charon, lab.ping, encapsulates=True)
        for case in of_userland():
            tap.add(case.name, run, pair, case)
        tap.main()
    finally:
        lab.close()


main()
