"""The command line: the door through which files, terminals and people reach the other rooms.

May import every room but `play`; none may import it. Each command is an App in a file of its own,
named by one line in `application.py`, and loads what it needs when it is run, so that
``chainrule --help`` is quick. What all commands share: `application.py` turns errors into one line
and an exit status, `screen.py` writes to the terminal, `experiment.py` says what a training is made
of, whether it comes from options or from a file.
"""

from chainrule.cli.application import app as app
from chainrule.cli.application import main as main
