"""`python -m vecrank doctor`, and the subcommands of the `vecrank` command."""
import sys

from . import _command, _doctor

if sys.argv[1:] == ["doctor"]:
    sys.exit(_doctor.main())
_command.main()
