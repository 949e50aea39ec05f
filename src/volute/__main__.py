"""`python -m volute`: the command line."""

from volute.cli import main

if __name__ == "__main__":
    main()
