#!/usr/bin/env python3
"""Writes logs of other makers than the repository's log writer, so that no benchmark is its own best case.

usage: logs.py other|cases text|json sparse|dense BYTES ROSTER OUT

`other`  a participant among the roster's members for 180 one-minute ticks, `dense` with 3,000 validators beside them;
         the lines between have very different lengths and words, some of them those of commitments
`cases`  the lines of tests/cmd/evidence.in, with other numbers, again and again; always dense

The same arguments make the same log, of BYTES at least.
"""
import json, pathlib, random, re, sys

WORDS = """the participant node received acknowledgement for sequencer counter while processing topology transaction
correlation id corrected stdout stderr pruning offset checkpoint contract template archived exercised transfer round
mining traffic balance sender recipient envelope batch mediator verdict Approve Reject confirmation response view
Commitment MISMATCH_ correct for senders""".split()
OWN = "participant=participant/psid=global-domain::1220be58c29e::34-0"
PROCESSOR = "c.d.c.p.p.AcsCommitmentProcessor:" + OWN


def hexadecimal(length):
    return "".join(random.choices("0123456789abcdef", k=length))


def chatter():
    number = random.randrange
    return random.choice([
        lambda: ("c.d.c.s.c.t.SequencedEventValidatorImpl:" + OWN, f"Successfully checked event {number(10**9)}"),
        lambda: (PROCESSOR, f"Computed and stored {number(2000)} commitment messages"),
        lambda: ("c.d.c.n.g.ApiRequestLogger", "received a message SubmitAndWaitRequest(" + ", ".join(
            f"{random.choice(WORDS)} = {hexadecimal(number(4, 60))}" for _ in range(number(3, 60)))),
        lambda: ("c.d.c.p.s.InMemoryTrafficLedger", "tick"),
        lambda: ("c.d.c.t.p.InitialTopologySnapshotValidator", " ".join(random.choices(WORDS, k=number(2, 400)))),
        lambda: ("o.a.p.h.s.HttpServer", f"Connection from port {number(65000)} correctly closed for sender"),
        lambda: ("c.d.c.r.DbStorageSingle", f"The query took {number(9999)} ms: select sender, from_exclusive, to_inclusive"),
        lambda: ("c.d.c.p.a.s.t.JcePureCrypto", hexadecimal(number(8, 4000))),
        lambda: ("c.d.c.p.m.DecodedMessage", json.dumps({random.choice(WORDS): hexadecimal(number(80)) for _ in range(number(1, 30))})),
        lambda: ("c.d.c.p.p.TransactionProcessor:" + OWN, f"Got result for request {number(10**9)}: verdict Approve()"),
    ])()


def line(form, logger, message, level="DEBUG"):
    time = f"{random.randrange(24):02}:{random.randrange(60):02}:{random.randrange(60):02}"
    thread, trace = f"canton-env-ec-{random.randrange(200)}", hexadecimal(32)
    if form == "text":
        return f"2026-04-21 {time},123 [{thread}] {level:5} {logger} tid:{trace} - {message}\n".encode()
    record = {"@timestamp": f"2026-04-21T{time}.123Z", "message": message, "logger_name": logger, "thread_name": thread,
              "level": level, "trace-id": trace}
    return (json.dumps(record) + "\n").encode()


def comparison(form, sender, minute):
    start, end = (f"2026-04-21T{at // 60:02}:{at % 60:02}:00Z" for at in (minute - 1, minute))
    period = f"CommitmentPeriod(fromExclusive = {start}, toInclusive = {end})"
    return (line(form, PROCESSOR, f"Checking commitment (purportedly by) {sender} for period {period}")
            + line(form, PROCESSOR, f"Commitment correct for sender {sender} and period {period}", "INFO"))


def other(form, dense, size, roster, out):
    short = lambda full: full[: full.rindex("::") + 14] + "..."
    senders = [short(it) for it in re.findall(r'participant = "(.*)"', pathlib.Path(roster).read_text())][1:]
    if dense:
        senders += [f"PAR::validator-{nth}::1220{hexadecimal(8)}..." for nth in range(3000)]
    pool = [line(form, *chatter()) for _ in range(12000)]
    for minute in range(600, 780):
        parts = [comparison(form, sender, minute) for sender in senders]
        left = size // 180 - sum(map(len, parts))
        while left > 0:
            parts += random.choices(pool, k=1000)
            left -= sum(map(len, parts[-1000:]))
        random.shuffle(parts)
        out.write(b"".join(parts))


def cases(form, size, out):
    folder = pathlib.Path(__file__).parent.parent / "tests/cmd/evidence.in"
    lines = [it for path in sorted(folder.glob("*.log")) for it in path.read_bytes().split(b"\n")]
    lines = [it for it in lines if it and it.startswith(b"{") == (form == "json")]
    change = lambda it: re.sub(rb"[0-9a-f]{8}", lambda _: b"%08x" % random.getrandbits(32), it)
    pool = [change(random.choice(lines)) for _ in range(30000)]
    while size > 0:
        part = b"\n".join(random.choices(pool, k=1000)) + b"\n"
        out.write(part)
        size -= len(part)


maker, form, density, size, roster, path = sys.argv[1:]
random.seed(7)
with open(path, "wb", 1 << 20) as out:
    if maker == "other":
        other(form, density == "dense", int(size), roster, out)
    else:
        cases(form, int(size), out)
