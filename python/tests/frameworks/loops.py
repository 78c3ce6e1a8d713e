"""Programs on hub.loop's watchers: run as a script of its own, which must say that it is done."""

from programs import Program


def run(text, *args, seconds=40):
    """Run the program; what it printed."""
    with Program("python", "program.py", *args, files={"program.py": text}) as program:
        status = program.wait(seconds)
        output = program.output()
        assert status == 0 and output.endswith("done\n"), (status, output)
    return output
