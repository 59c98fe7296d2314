"""Medians and Markdown."""

import statistics
import sys


def median(values):
    return statistics.median(values) if values else None


def ratio(one, other, digits=2):
    return f"{one / other:.{digits}f}" if one and other else "–"


def number(value, form="{:.0f}"):
    return "–" if value is None else form.format(value)


def markdown(title, header, rows):
    print(f"\n### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "|".join("---" if not index else "---:" for index in range(len(header))) + "|")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |", flush=True)


def progress(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)
