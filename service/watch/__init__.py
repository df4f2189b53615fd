"""Watching what passes: rules that look now and then, the alerts they raise, and who is told."""
