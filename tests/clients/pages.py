"""The tables of docs/clients.md: between `<!-- results of LIBRARY: ... -->` and `<!-- end -->` stand a library's results, a column for each version."""

import re

from catalogue import CASES, CLIENTS


def update(path, results, write):
    """Compares the page's tables with these results, or writes them; gives what is wrong. A library of which not all versions ran is left alone."""
    page = re.sub(r"(<!-- cases -->\n).*?(<!-- end -->\n)", lambda found: found[1] + legend() + found[2], path.read_text(), count=1, flags=re.S)
    stale = []
    for library in dict.fromkeys(client.library for client in CLIENTS):
        versions = {client.version: results.get(client) for client in CLIENTS if client.library == library}
        if not all(versions.values()):
            continue
        block = re.compile(rf"(<!-- results of {library}:.*? -->\n).*?(<!-- end -->\n)", re.S)
        if not block.search(page):
            stale.append(f"FAILED  {path}: no table for {library}")
            continue
        page = block.sub(lambda found: found[1] + table(versions) + found[2], page)
    if write:
        path.write_text(page)
    elif page != path.read_text():
        stale.append(f"FAILED  {path.name}: its tables are not these results; DATABUS_WRITE_PAGES=1 writes them")
    return stale


def legend():
    return "| case | |\n| --- | --- |\n" + "".join(f"| {case} | {text} |\n" for case, text in CASES.items())


def table(versions):
    notes = []
    rows = [["", *versions], ["---"] * (len(versions) + 1)]
    for case in CASES:
        rows.append([case] + [cell(case, *result.get(case, ("FAILED", "no result")), notes) for result in versions.values()])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines += [""] + [f"{number}. {note}" for number, note in enumerate(notes, 1)] if notes else []
    return "\n".join(lines) + "\n"


def cell(case, how, why, notes):
    if how == "FAILED":
        return "FAILED"
    if case == "repeats" and how == "ok":
        return why
    text = {"ok": "ok", "n/a": "–"}[how]
    if not why:
        return text
    why = why.replace("|", "\\|")
    if why not in notes:
        notes.append(why)
    return f"{text} <sup>{notes.index(why) + 1}</sup>"
