# SPDX-License-Identifier: Apache-2.0
"""A command in a terminal of its own: what is written to us is typed there, what
it shows is written by us. Exits with the command's exit code."""

import os
import pty
import sys

status = pty.spawn(sys.argv[1:])
sys.exit(os.waitstatus_to_exitcode(status))
