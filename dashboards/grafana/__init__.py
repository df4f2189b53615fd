"""Grafana's boards, built in Python; the JSON in `boards/` is what Grafana reads."""
