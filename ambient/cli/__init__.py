"""The command line: one file for each verb, each imported only when it is called."""
