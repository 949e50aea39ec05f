"""`python -m volute.cli.child ARGUMENTS`: the command line of a process that ends with its parent.

The parent holds the other end of standard input. When it is gone, however it went, this process is
interrupted as by Ctrl-C: a training saves its state.
"""

from __future__ import annotations

import os
import signal
import threading

from volute.cli import main


def _until_parent_ends() -> None:
    while os.read(0, 1):  # a buffered reader could not be let go of at the end
        pass
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    threading.Thread(target=_until_parent_ends, daemon=True).start()
    main()
