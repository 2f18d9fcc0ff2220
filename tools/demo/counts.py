"""Reads what skep-guest printed, over its whole life: no count lost, none twice, memory and disk intact."""

import re

LINE = re.compile(r"^skep-guest: count (\d+) ram (.*?) disk (.*?)\r?\n", re.MULTILINE)


class CountError(Exception):
    pass


def judge(text: str) -> int:
    """Checks every count of the guest's output, joined over saves and restores; returns the last one.

    The guest's UART may be saved in the midst of a line: join the parts, then judge.
    """
    last = 0
    for number, ram, disk in LINE.findall(text):
        if int(number) != last + 1:
            raise CountError(f"count {number} came after count {last}")
        if ram != "ok" or disk != "ok":
            raise CountError(f"at count {number}: ram {ram}, disk {disk}")
        last = int(number)
    # No count line may hide: garbled ones are not matched above.
    seen = text.count("skep-guest: count ")
    complete = text.rfind("\n") + 1
    unfinished = text.count("skep-guest: count ", complete)
    if seen - unfinished != last:
        raise CountError(f"{seen - unfinished} lines have a count, only {last} of them can be read")
    return last
