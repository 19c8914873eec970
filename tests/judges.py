#!/usr/bin/env python3
"""Runs one of the judges beside the project against saolad and decides: passed or not.

  tests/judges.py --judges ../shared/judges --saolad target/release/saolad JUDGE [--seed N] [--full]

JUDGE is differential, majority, compliance, hostile, clients or resolvers. `majority` asks the differential's questions over all four
kinds of zone and looks at what the differential does not print: where two of Knot, NSD and BIND agree and Saola does not.
What may differ is written in tests/deviations.toml, each with the RFC that is on our side; everything else fails.
--subject puts another server in Saola's place (`mutant:NAME`), which is how this script is seen to fail.
"""
import argparse
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = "knot,nsd,bind"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("judge", choices=["differential", "majority", "compliance", "hostile", "clients", "resolvers"])
    parser.add_argument("--judges", required=True)
    parser.add_argument("--saolad", required=True)
    parser.add_argument("--subject", default="saola")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queries", type=int, default=6000, help="questions of `majority`")
    parser.add_argument("--full", action="store_true", help="the judge's long form")
    args = parser.parse_args()
    args.judges = os.path.abspath(args.judges)
    os.environ["SAOLAD"] = os.path.abspath(args.saolad)
    os.environ["CONF_SERVERS_EXTRA"] = os.path.join(args.judges, "saola.toml")
    if args.subject == "saola" and not os.access(os.environ["SAOLAD"], os.X_OK):
        sys.exit(f"{args.saolad} is not there; build it first")
    # Sockets in here have names of at most 107 octets, so the folder's name is short.
    folder = tempfile.mkdtemp(prefix="sj-")
    try:
        wrong = globals()[args.judge](args, folder)
    except Exception:
        print(f"the servers' logs are kept in {folder}", file=sys.stderr)
        raise
    for line in wrong[:200]:
        print(f"WRONG: {line}")
    if wrong:
        print(f"{args.judge}: {len(wrong)} wrong; the servers' logs are kept in {folder}")
        sys.exit(1)
    shutil.rmtree(folder)
    print(f"{args.judge}: passed")


def differential(args, folder):
    out = os.path.join(folder, "disagreements.json")
    length = [] if args.full else ["--short"]
    text = run(args, "differential.py", ["--servers", f"{PEERS},{args.subject}", "--seed", str(args.seed), "--dir", folder, "--out", out, *length])
    wrong = incomplete(text)
    score = score_of(text, args.subject)
    answered = re.search(r"answered (\d+)/(\d+)", score)
    unanimous = re.search(r"core unanimous (\d+)/(\d+)", score)
    if not answered or not unanimous:
        return [f"no figures in the score: {score!r}"]
    with open(out) as file:
        rows = [row for row in json.load(file) if row["server"] == args.subject]
    allowed, others = sort_out(rows)
    wrong += others
    if answered[1] != answered[2]:
        wrong.append(f"{int(answered[2]) - int(answered[1])} questions had no answer")
    missed = int(unanimous[2]) - int(unanimous[1])
    if missed > len(allowed) + len(others):
        wrong.append(f"{missed} unanimous answers missed, only {len(rows)} of them are listed")
    return wrong


def majority(args, folder):
    sys.path[:0] = [args.judges, os.path.join(args.judges, "lib")]
    import differential as judge
    import harness
    import norm

    origin = "vn."
    variants = ["plain", "nsec", "nsec3", "optout"]
    mkzone = judge.mkzone_path.mkzone
    lines = mkzone.build(origin, 120, args.seed, mkzone.default_ns())
    zones = mkzone.make(os.path.join(folder, "zone"), origin=origin, lines=lines, variants=variants[1:])
    rows, counts = [], collections.Counter()
    for variant in variants:
        file = os.path.join(zones, variant + ".zone")
        questions = judge.build_queries(judge.zone_index(file, origin), args.queries // len(variants), args.seed)
        views = {}
        for i, name in enumerate(PEERS.split(",") + [args.subject]):
            server = harness.Server(name)
            try:
                server.start([(origin, file)], addr="127.0.0.1", port=5500 + 2 * i, dir=os.path.join(folder, variant, name))
                replies = judge.ask("127.0.0.1", 5500 + 2 * i, questions)
            finally:
                server.stop()
            views[name] = [judge.core(*norm.parse(reply), origin, question) for reply, question in zip(replies, questions)]
        for i, question in enumerate(questions):
            theirs = collections.Counter(views[peer][i] for peer in PEERS.split(","))
            most, votes = theirs.most_common(1)[0]
            counts[f"{votes} of 3 agree"] += 1
            if votes > 1 and views[args.subject][i] != most:
                counts["differs"] += 1
                judges = {peer: judge.show(views[peer][i]) for peer in PEERS.split(",")}
                rows.append(dict(question, variant=variant, got=judge.show(views[args.subject][i]), judges=judges))
    print("majority:", dict(counts))
    return sort_out(rows)[1]


def compliance(args, folder):
    text = run(args, "compliance.py", ["--servers", args.subject, "--builtin", "--dir", folder])
    score = re.search(r"(\d+)/(\d+) rows ok", score_of(text, args.subject))
    wrong = [line.strip() for line in text.splitlines() if re.match(rf"  \S+ +{re.escape(args.subject)}=", line) and "=ok" not in line]
    if not score or score[1] != score[2] or int(score[2]) == 0:
        wrong.append(f"score {score[0] if score else 'missing'}")
    return wrong


def hostile(args, folder):
    length = ["--mutations", "200000"] if args.full else ["--short"]
    text = run(args, "hostile.py", ["--servers", args.subject, "--seed", str(args.seed), "--dir", folder, *length])
    score = score_of(text, args.subject)
    wrong = [] if re.search(r": UP; violations 0 ", score) else [score or "no score"]
    for what, number in [("pipelined answered", 50), ("byte-by-byte answered", 1), ("half-close answered", 1), ("answers beside 200 idle connections", 1), ("udp beside idle", 1)]:
        if f"'{what}': {number}" not in text:
            wrong.append(f"not seen: {what} {number}")
    return wrong


def clients(args, folder):
    text = run(args, "clients.py", ["--servers", args.subject, "--dir", folder])
    score = re.search(r"(\d+)/(\d+) checks ok", score_of(text, args.subject))
    wrong = [line.strip() for line in text.splitlines() if line.endswith(" FAIL")]
    if not score or score[1] != score[2] or int(score[2]) < 30:
        wrong.append(f"score {score[0] if score else 'missing'}")
    return wrong


def resolvers(args, folder):
    names = "unbound,named" + (",kresd" if args.full else "")
    text = run(args, "resolvers.py", ["--servers", args.subject, "--resolvers", names, "--denial", "optout,nsec3,nsec", "--dir", folder])
    score = re.search(r"(\d+)/(\d+) resolutions", score_of(text, args.subject))
    lines = [tuple(map(int, m)) for m in re.findall(r"through \S+: (\d+)/(\d+)", text)]
    wrong = [line.strip() for line in text.splitlines() if " want rcode=" in line]
    if not score or score[1] != score[2]:
        wrong.append(f"score {score[0] if score else 'missing'}")
    if len(lines) != 3 * len(names.split(",")):
        wrong.append(f"{len(lines)} runs of resolvers instead of {3 * len(names.split(','))}")
    return wrong


def run(args, script, arguments):
    """Runs a judge and shows what it says; its text."""
    command = [sys.executable, os.path.join(args.judges, script), *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    # The differential prints the peers' own quarrels at length; ours are printed below with the verdict.
    print("\n".join(line for line in done.stdout.splitlines() if not line.startswith("    ") or args.judge != "differential"))
    if done.returncode != 0:
        sys.exit(f"{script} ended with {done.returncode}")
    return done.stdout


def score_of(text, subject):
    lines = [line for line in text.splitlines() if line.startswith(f"SCORE {subject}:")]
    return lines[-1] if lines else ""


def incomplete(text):
    return [line for line in text.splitlines() if line.startswith("!!")]


def sort_out(rows):
    """-> (rows that a written deviation allows, lines for the others)"""
    with open(os.path.join(HERE, "deviations.toml"), "rb") as file:
        deviations = tomllib.load(file).get("deviation", [])
    allowed, others, used = [], [], collections.Counter()
    for row in rows:
        unanimous = len(set(row["judges"].values())) == 1
        which = next((d["id"] for d in deviations if matches(d, row) and not (unanimous and d.get("only") == "majority")), None)
        if which:
            used[which] += 1
            allowed.append(row)
        else:
            others.append(describe(row))
    for name, count in used.items():
        print(f"allowed by tests/deviations.toml: {name} {count}")
    return allowed, others


def matches(deviation, row):
    fields = {"category": row["cat"], "name": row["name"], "type": row["type"], "variant": row["variant"], "got": row["got"], "desc": row["desc"]}
    if any(not re.search(pattern, fields[key]) for key, pattern in deviation["match"].items() if key != "judge"):
        return False
    # `judge`: the answer of every peer that we do not agree with looks like this.
    pattern = deviation["match"].get("judge")
    return pattern is None or all(re.search(pattern, answer) for answer in row["judges"].values() if answer != row["got"])


def describe(row):
    head = f"[{row['variant']}] {row['cat']}: {row['name']} {row['type']} {'tcp' if row['tcp'] else 'udp'} {row['desc']}"
    return "\n    ".join([head, f"ours: {row['got'][:700]}"] + [f"{name}: {answer[:700]}" for name, answer in row["judges"].items()])


if __name__ == "__main__":
    main()
