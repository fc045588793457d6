#!/usr/bin/env python3
"""Plots a race: for each content the seconds of every run and their medians, as RESULTS-N.svg, by gnuplot.

usage: plot.py RESULTS.json

RESULTS.json is what peers.py leaves: {content: {racer: [{"create": s, "land": s, "serve": s, "total": s, …}, …]}}.
"""
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

STAGES = ("create", "land", "serve")
COLOURS = ("#4477aa", "#66ccee", "#ccbb44")


def quoted(text):
    """As gnuplot's single-quoted strings want it."""
    return "'" + str(text).replace("'", "''") + "'"


def script(content, racers, target):
    """Stacked bars of the medians of the stages; above each racer a circle for the total of each run."""
    bars = [[statistics.median(run[stage] for run in runs) for stage in STAGES] for runs in racers.values()]
    lines = ["set terminal svg size 720,420 background '#ffffff' font 'sans,12' noenhanced", f"set output {quoted(target)}",
             f"set title {quoted(content + ', seconds; medians of the stages, a circle for each run')}",
             "set style data histograms", "set style histogram rowstacked", "set style fill solid 0.9 noborder", "set boxwidth 0.6",
             "set grid ytics", "set yrange [0:*]", "set key outside right top",
             "set xtics (" + ", ".join(f"{quoted(name)} {i}" for i, name in enumerate(racers)) + ")", "$bars << EOD",
             *(" ".join(f"{value:.4f}" for value in row) for row in bars), "EOD", "$runs << EOD",
             *(f"{i} {run['total']:.4f}" for i, runs in enumerate(racers.values()) for run in runs), "EOD",
             "plot " + ", ".join([f"$bars using {i + 1} linecolor rgb {quoted(COLOURS[i])} title {quoted(stage)}" for i, stage in enumerate(STAGES)]
                                 + ["$runs using 1:2 with points pointtype 6 linecolor rgb '#000000' title 'each run'"])]
    return "\n".join(lines) + "\n"


def plot(results_file):
    """The files that were written; none where gnuplot is not installed."""
    if not shutil.which("gnuplot"):
        print("no plots: gnuplot is not here (Debian: gnuplot-nox)")
        return []
    written = []
    for i, (content, racers) in enumerate(json.loads(results_file.read_text()).items(), 1):
        target = results_file.with_name(f"{results_file.stem}-{i}.svg")
        subprocess.run(["gnuplot"], input=script(content, racers, target), text=True, check=True)
        written.append(target)
        print(f"plotted {content}: {target}")
    return written


if __name__ == "__main__":
    plot(pathlib.Path(sys.argv[1]).resolve())
