"""Draw what the benchmarks measured:   plot.py [--page] FOLDER FILE.json...

The files are those of bench/run and of the programs in python/bench. Each becomes FOLDER/<its
name>.svg: a panel for each work, a bar for each contender, as long as the median, with a line from
the lowest round to the highest. With --page only the works are drawn that docs/performance.md
shows, by the names that it uses: FOLDER/performance-<part>.svg.
"""

import argparse
import json
import os
import statistics

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  (after the choice of the backend)

# These are read on a white page and on a dark one.
OURS, RAW, PEER, TEXT = "#2a9d76", "#c2a24a", "#93a1ae", "#808890"

Bars = list[tuple[str, list[float]]]  # contender and its rounds
Works = dict[tuple[str, str], Bars]  # by name and unit

# part of the page: title and what is better; columns; (work, its name on the page, contenders
# in order; empty: all)
CORE = ["raw, FP control", "Bine", "Boost.Fiber", "State Threads", "Go"]
ECHO = ["raw epoll", "raw io_uring", "Bine io_uring", "Bine epoll", "State Threads", "Go"]
WEB = ["Bine io_uring", "Bine epoll", "nginx", "Go"]
PARTS: dict[str, tuple[str, int, list[tuple[str, str, list[str]]]]] = {
    "scheduling": ("Nanoseconds of processor time; shorter is better", 2, [
        ("yield_2", "a yield", CORE), ("robin_1000", "a switch among 1,000 greenlets", CORE),
        ("spawn_join", "spawn and join", CORE), ("channel", "a message through a channel", CORE)]),
    "servers": ("Microseconds of processor time for a request; shorter is better", 2, [
        ("echo_64.cpu", "echo, 64 connections", ECHO),
        ("echo_1000.cpu", "echo, 1,000 connections", ECHO),
        ("echo_8000.cpu", "echo, 8,000 connections", ECHO),
        ("http_100.cpu", "HTTP, 100 connections", [*ECHO, "nginx"])]),
    "http": ("Microseconds of processor time for a request; shorter is better", 2, [
        ("web_hello.cpu", "a greeting", WEB), ("web_hello_tls.cpu", "a greeting by HTTPS", WEB),
        ("web_file.cpu", "a file of 100 KB", WEB),
        ("web_file_tls.cpu", "a file of 100 KB by HTTPS", WEB)]),
    "python": ("CPython; for the first three nanoseconds, shorter is better; for the last requests "
               "a second", 2, [
                   ("switch", "sleep(0), a switch", []), ("spawn", "spawn and join", []),
                   ("queue", "queue, put and get", []), ("echo", "echo, 100 connections", [])]),
}


def read(path: str) -> Works:
    with open(path) as file:
        found = json.load(file)
    works: Works = {}
    if "works" in found:  # of bench/run
        for name, work in found["works"].items():
            works[name, work["unit"]] = [(contender, seen["rounds"])
                                         for contender, seen in work["contenders"].items()]
    else:
        for row in found["rows"]:
            works.setdefault((row["work"], row["unit"]), []).append((row["name"], row["values"]))
    return works


def colour(contender: str) -> str:
    if contender.lower().startswith("bine"):
        return OURS
    return RAW if contender.startswith("raw") else PEER


def figure_of(median: float) -> str:
    return f"{median:,.0f}" if median >= 100 else f"{median:.3g}"


def draw_panel(panel: "plt.Axes", title: str, bars: Bars) -> None:
    medians = [statistics.median(rounds) for _, rounds in bars]
    spread = [[median - min(rounds) for (_, rounds), median in zip(bars, medians)],
              [max(rounds) - median for (_, rounds), median in zip(bars, medians)]]
    panel.barh([name for name, _ in bars], medians, height=0.68,
               color=[colour(name) for name, _ in bars],
               xerr=spread, error_kw={"linewidth": 0.9, "ecolor": TEXT})
    most = max(max(rounds) for _, rounds in bars)
    for at, ((_, rounds), median) in enumerate(zip(bars, medians)):
        panel.text(max(rounds) + most * 0.02, at, figure_of(median), va="center",
                   fontsize=8, color=TEXT)
    panel.set_xlim(0, most * 1.16)
    panel.invert_yaxis()
    panel.set_title(title, loc="left", fontsize=9.5, color=TEXT)
    panel.tick_params(labelsize=8.5, colors=TEXT, length=0)
    panel.set_xticks([])
    for side in ("top", "right", "bottom"):
        panel.spines[side].set_visible(False)
    panel.spines["left"].set_color(TEXT)


def save(figure: "plt.Figure", path: str) -> None:
    figure.savefig(path, metadata={"Date": None}, transparent=True)
    plt.close(figure)
    print(path)


def draw_all(path: str, folder: str) -> None:
    works = read(path)
    heights = [2 + len(bars) for bars in works.values()]
    figure, panels = plt.subplots(len(works), 1, figsize=(7, 0.28 * sum(heights)), squeeze=False,
                                  gridspec_kw={"height_ratios": heights}, layout="constrained")
    for panel, ((work, unit), bars) in zip(panels[:, 0], works.items()):
        draw_panel(panel, f"{work} ({unit})" if unit else work, bars)
    save(figure, os.path.join(folder, os.path.splitext(os.path.basename(path))[0] + ".svg"))


def draw_part(part: str, works: dict[str, Bars], folder: str) -> None:
    title, columns, wanted = PARTS[part]
    there = [(name, [(c, r) for c, r in works[work] if not order or c in order], order)
             for work, name, order in wanted if work in works]
    if not there:
        return
    rows = -(-len(there) // columns)
    most = max(len(bars) for _, bars, _ in there)
    figure, panels = plt.subplots(rows, columns, figsize=(9, rows * (0.7 + 0.24 * most)),
                                  squeeze=False, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=9.5, color=TEXT)
    for panel in panels.flat[len(there):]:
        panel.set_visible(False)
    for panel, (name, bars, order) in zip(panels.flat, there):
        draw_panel(panel, name,
                   sorted(bars, key=lambda bar: order.index(bar[0])) if order else bars)
    save(figure, os.path.join(folder, f"performance-{part}.svg"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("folder")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    matplotlib.rcParams["svg.hashsalt"] = "bine"  # the same figures give the same file
    matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text
    os.makedirs(options.folder, exist_ok=True)
    if not options.page:
        for path in options.files:
            draw_all(path, options.folder)
        return
    works = {work: bars for path in options.files for (work, _), bars in read(path).items()}
    for part in PARTS:
        draw_part(part, works, options.folder)


if __name__ == "__main__":
    main()
