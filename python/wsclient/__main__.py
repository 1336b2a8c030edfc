"""`python -m wsclient`."""

import sys

from wsclient.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
