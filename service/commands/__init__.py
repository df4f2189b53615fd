"""The commands, one file each; `service/cli.py` imports only the one that is asked for."""
