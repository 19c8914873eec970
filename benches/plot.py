#!/usr/bin/env python3
"""Draws the plots of docs/performance.md from the figures beside it: plot.py docs/performance

Reads udp.csv (server, questions, thousand answers per CPU-second) and growth.csv (see growth.py), writes an SVG for each. The same
figures give the same octets.
"""

import csv
import math
import pathlib
import sys

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 36, 40
COLOURS = ["#b3202c", "#2b5c8a", "#5b8c5a", "#8a8a8a", "#c98b2b"]


def rows(path):
    """The lines of a CSV file as dictionaries; those with # in front are remarks."""
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def text(x, y, words, anchor="start", size=12, colour="#222"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{words}</text>'


def line(x1, y1, x2, y2, colour="#ddd", width=1):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def write(path, title, parts):
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    )
    path.write_text("\n".join([head, text(LEFT, 20, title, size=14)] + parts + ["</svg>", ""]), encoding="utf-8")


def legend(names):
    parts = []
    for i, name in enumerate(names):
        y = TOP + 14 + 20 * i
        parts.append(f'<rect x="{WIDTH - RIGHT + 14}" y="{y - 9}" width="10" height="10" fill="{COLOURS[i % len(COLOURS)]}"/>')
        parts.append(text(WIDTH - RIGHT + 30, y, name))
    return parts


def bars(path, title, unit, table):
    """Groups of bars; `table` is {group: {series: value}}."""
    series = list(dict.fromkeys(name for group in table.values() for name in group))
    top = max(value for group in table.values() for value in group.values()) * 1.1
    bottom, inner = HEIGHT - BOTTOM, WIDTH - LEFT - RIGHT
    y = lambda value: bottom - (bottom - TOP) * value / top
    parts = [text(LEFT - 8, TOP - 2, unit, "end", 11)]
    step = 10 ** math.floor(math.log10(top))
    step = next(s for s in (step / 5, step / 2, step, 2 * step) if top / s <= 7)
    value = 0
    while value <= top:
        parts += [line(LEFT, y(value), WIDTH - RIGHT, y(value)), text(LEFT - 8, y(value) + 4, f"{value:g}", "end", 11)]
        value += step
    wide = inner / len(table)
    for g, (group, values) in enumerate(table.items()):
        left, bar = LEFT + wide * (g + 0.1), wide * 0.8 / len(series)
        for s, name in enumerate(series):
            if name in values:
                x, top_y = left + bar * s, y(values[name])
                colour = COLOURS[s % len(COLOURS)]
                parts.append(f'<rect x="{x:.1f}" y="{top_y:.1f}" width="{bar - 2:.1f}" height="{bottom - top_y:.1f}" fill="{colour}"/>')
                parts.append(text(x + bar / 2 - 1, top_y - 3, f"{values[name]:.0f}", "middle", 10))
        parts.append(text(LEFT + wide * (g + 0.5), bottom + 18, group, "middle"))
    write(path, title, parts + legend(series))


def lines(path, title, unit, table):
    """Lines over delegations, both axes by powers of ten; `table` is {series: [(delegations, value)]}."""
    points = [point for series in table.values() for point in series]
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    span = lambda values: (math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))))
    (x0, x1), (y0, y1) = span([n for n, _ in points]), span([value for _, value in points])
    x = lambda n: LEFT + (right - LEFT) * (math.log10(n) - x0) / (x1 - x0)
    y = lambda value: bottom - (bottom - TOP) * (math.log10(value) - y0) / (y1 - y0)
    parts = [text(LEFT - 8, TOP - 2, unit, "end", 11), text((LEFT + right) / 2, HEIGHT - 6, "delegations", "middle", 11)]
    for power in range(y0, y1 + 1):
        parts += [line(LEFT, y(10**power), right, y(10**power)), text(LEFT - 8, y(10**power) + 4, f"{10.0**power:g}", "end", 11)]
    for power in range(x0, x1 + 1):
        parts += [line(x(10**power), TOP, x(10**power), bottom), text(x(10**power), bottom + 16, f"{10**power:,}", "middle", 11)]
    for i, series in enumerate(table.values()):
        colour = COLOURS[i % len(COLOURS)]
        path_of = " ".join(f"{x(n):.1f},{y(value):.1f}" for n, value in series)
        parts.append(f'<polyline points="{path_of}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(n):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>' for n, value in series]
    write(path, title, parts + legend(table))


def main():
    folder = pathlib.Path(sys.argv[1])
    udp = {}
    for row in rows(folder / "udp.csv"):
        udp.setdefault(row["questions"], {})[row["server"]] = float(row["thousand_per_cpu_s"])
    bars(folder / "udp.svg", "UDP: answers per CPU-second, 700,000 signed delegations", "thousand", udp)
    growth = rows(folder / "growth.csv")
    of = lambda column, scale=1.0: [(int(row["delegations"]), scale * float(row[column])) for row in growth]
    times = {"signing, processor": of("sign_cpu_s"), "start from text": of("text_cpu_s"), "start from image": of("image_s")}
    lines(folder / "time.svg", "Time by size of the zone", "seconds", times)
    sizes = {"signing, peak": of("sign_mib"), "start from text, peak": of("text_peak_mib"), "serving (PSS)": of("pss_mib")}
    lines(folder / "memory.svg", "Memory by size of the zone", "MiB", sizes)


if __name__ == "__main__":
    main()
