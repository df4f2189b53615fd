"""Load tests: how much Fairlead takes, and how much it adds. See README.md in this folder."""
