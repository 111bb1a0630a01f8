"""``python -m simulation``: what ./dev simulate runs."""

import os
import sys

from simulation.runner import main

if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # what was killed is not to be cleaned up
