# SPDX-License-Identifier: PostgreSQL
"""Outcomes as text and as a picture."""


def aligned(rows):
    """Markdown whose columns are as wide as their widest cell; the first row is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def number(value):
    """Three digits that count."""
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def comparison(measures, names):
    """One row a figure, one column a contender, the ratio and its goal."""
    rows = [["measure", "mode", "figure", *names, "ratio", "goal", ""]]
    for measure in measures:
        for figure in measure.figures():
            goal = measure.goals.get(figure)
            ratio = f"{measure.ratio(figure):.2f}" + (
                "" if measure.yardstick == "HAProxy" else f" to {measure.yardstick}")
            judged = "" if goal is None else "met" if goal.is_met(measure.judged(figure)) else "MISSED"
            cells = ["" if name == "direct" and "CPU" in figure else number(measure.median(name, figure))
                     for name in names]
            rows.append([measure.label, measure.mode, figure, *cells, ratio, str(goal or ""), judged])
    return aligned(rows)


def chart(measures):
    """Ratios to the yardstick, turned so that longer is better: SVG."""
    bars = []
    for measure in measures:
        for figure in measure.figures():
            value = measure.ratio(figure)
            value = value if figure in measure.higher else 1 / value if value else 0
            # Nothing to draw where one of the two is nothing, or below it.
            if value > 0:
                bars.append((f"{measure.label}, {measure.mode}: {figure}", value))
    height, wide, origin = 20, 220, 400
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{origin + 2 * wide + 60}" '
             f'height="{height * len(bars) + 50}" font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="#fff"/>',
             '<text x="8" y="18">Rolegate against HAProxy (PgBouncer where TLS ends): '
             'as good at the line, better to its right</text>']
    for place, (label, value) in enumerate(bars):
        y = 32 + place * height
        length = min(value, 2) * wide
        lines.append(f'<text x="8" y="{y + 13}">{label}</text>'
                     f'<rect x="{origin}" y="{y + 3}" width="{length:.0f}" height="{height - 7}" '
                     f'fill="{"#2a7" if value >= 1 else "#c63"}"/>'
                     f'<text x="{origin + length + 5:.0f}" y="{y + 13}">{value:.2f}</text>')
    lines.append(f'<line x1="{origin + wide}" x2="{origin + wide}" y1="28" y2="{36 + height * len(bars)}" '
                 'stroke="#333"/></svg>')
    return "\n".join(lines) + "\n"
