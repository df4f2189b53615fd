"""`python -m dashboards.grafana`: build the boards' JSON anew."""

from __future__ import annotations

from dashboards.grafana.build import FOLDER, texts


def main() -> None:
    """Write every board."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
