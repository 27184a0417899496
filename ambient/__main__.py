"""`python -m ambient`: the program where no `ambient` is on the PATH."""

from ambient.cli.main import main

if __name__ == "__main__":
    main()
