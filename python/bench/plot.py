"""Draw the figures of the Python benchmarks:   plot.py FOLDER FILE.json...

Each file that run.py, watchers.py, pywsgi.py or clients.py has written becomes FOLDER/<name of the file>.svg: one panel for each work, one bar
for each runtime or server, as long as the median, with a line from the smallest to the largest of the rounds.
"""

import json
import os
import statistics
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  (after the choice of the backend)

COLOURS = {"bine": "#1b7f5c", "gevent": "#9a9a9a"}


def draw(path: str, folder: str) -> None:
    works: dict[tuple[str, str], list[tuple[str, list[float]]]] = {}
    with open(path) as file:
        for row in json.load(file)["rows"]:
            works.setdefault((row["work"], row["unit"]), []).append((row["name"], row["values"]))
    figure, panels = plt.subplots(len(works), 1, figsize=(7, sum(0.6 + 0.28 * len(bars) for bars in works.values())), squeeze=False,
                                  gridspec_kw={"height_ratios": [2 + len(bars) for bars in works.values()]}, layout="constrained")
    for panel, ((work, unit), bars) in zip(panels[:, 0], works.items()):
        names = [name for name, _ in bars]
        medians = [statistics.median(values) for _, values in bars]
        spread = [[median - min(values) for (_, values), median in zip(bars, medians)], [max(values) - median for (_, values), median in zip(bars, medians)]]
        panel.barh(names, medians, xerr=spread, color=[COLOURS.get(name.partition(" ")[0], "#c9d6df") for name in names], error_kw={"linewidth": 0.8})
        panel.invert_yaxis()
        panel.set_title("%s (%s)" % (work, unit) if unit else work, loc="left", fontsize=9)
        panel.tick_params(labelsize=8)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    name = os.path.join(folder, os.path.splitext(os.path.basename(path))[0] + ".svg")
    figure.savefig(name, metadata={"Date": None})
    plt.close(figure)
    print(name)


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    matplotlib.rcParams["svg.hashsalt"] = "bine"  # the same figures give the same file
    os.makedirs(sys.argv[1], exist_ok=True)
    for path in sys.argv[2:]:
        draw(path, sys.argv[1])


if __name__ == "__main__":
    main()
