#!/usr/bin/env python3
"""dnspython as a client of saolad: AXFR, IXFR, NOTIFY, UPDATE, and what TSIG does not let in.

  tests/clients.py --saolad target/release/saolad

Starts a primary and a secondary on free ports of 127.0.0.1 and stops them by their ids. Prints one line a check, and ends with 1 if one fails.
"""
import argparse
import base64
import os
import socket
import subprocess
import sys
import tempfile
import time

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update
import dns.xfr
import dns.zone

ZONE = "dyn.example."
SECRETS = {"xfr.": base64.b64encode(b"one secret of thirty-two octets!").decode(), "other.": base64.b64encode(b"another one of thirty-two octets").decode()}
RING = dns.tsigkeyring.from_text({name: ("hmac-sha256", secret) for name, secret in SECRETS.items()})
TEXT = """$TTL 300
@ SOA ns h 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.1
www A 192.0.2.2
"""
failed = 0


def check(what, is_so):
    global failed
    failed += not is_so
    print(f"{'ok  ' if is_so else 'WRONG'} {what}")


def free_port():
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
                return tcp.getsockname()[1]
            except OSError:
                pass


class Daemon:
    """One saolad in a folder of its own."""

    def __init__(self, saolad, folder, port, rest):
        os.makedirs(folder)
        self.port = port
        keys = "".join(f'[[key]]\nname = "{name}"\nalgorithm = "hmac-sha256"\nsecret = "{secret}"\n' for name, secret in SECRETS.items())
        with open(f"{folder}/zone", "w") as file:
            file.write(TEXT)
        with open(f"{folder}/saola.toml", "w") as file:
            file.write(f'[server]\nlisten = ["127.0.0.1:{port}"]\nworkers = 1\n{rest}{keys}')
        self.log = open(f"{folder}/log", "w")
        self.process = subprocess.Popen([saolad, "--config", f"{folder}/saola.toml"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def wait(self, is_so):
        for _ in range(3000):
            try:
                if is_so():
                    return True
            except (dns.exception.DNSException, OSError):
                pass
            if self.process.poll() is not None:
                return False
            time.sleep(0.02)
        return False

    def serial(self):
        reply = dns.query.udp(dns.message.make_query(ZONE, "SOA"), "127.0.0.1", port=self.port, timeout=5)
        return reply.answer[0][0].serial if reply.answer else None

    def stop(self):
        self.process.terminate()
        self.process.wait()


def transfer(port, rdtype="AXFR", serial=None, key="xfr.", ring=RING, udp=False, zone=None):
    """A zone as dnspython has it after the transfer, or the error."""
    zone = zone or dns.zone.Zone(ZONE, relativize=False)
    query, _ = dns.xfr.make_query(zone, serial=serial, keyring=ring if key else None, keyname=dns.name.from_text(key) if key else None)
    try:
        mode = dns.query.UDPMode.TRY_FIRST if udp else dns.query.UDPMode.NEVER
        dns.query.inbound_xfr("127.0.0.1", zone, query=query, port=port, timeout=20, udp_mode=mode)
        return zone
    except (dns.exception.DNSException, dns.xfr.TransferError) as error:
        return error


def records(zone):
    return {(name.to_text(), ttl, rdata.rdtype, rdata.to_text()) for name, ttl, rdata in zone.iterate_rdatas()}


def updated(port, change, key="xfr.", ring=RING, zone=ZONE, how=dns.query.tcp):
    """The reply to an UPDATE that `change` fills."""
    message = dns.update.UpdateMessage(zone)
    change(message)
    if key:
        message.use_tsig(ring, keyname=dns.name.from_text(key))
    return how(message, "127.0.0.1", port=port, timeout=20)


def code(call):
    """The response code, or the name of the error."""
    try:
        return dns.rcode.to_text(call().rcode())
    except dns.exception.DNSException as error:
        return type(error).__name__


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--saolad", required=True)
    args = parser.parse_args()
    saolad = os.path.abspath(args.saolad)
    with tempfile.TemporaryDirectory(prefix="sc-") as folder:
        above, below = free_port(), free_port()
        own = f'[[zone]]\nname = "{ZONE}"\nfile = "zone"\nsign = "default"\nallow-update = [{{ prefix = "127.0.0.0/8", key = "xfr" }}]\n'
        allowed = 'allow-transfer = [{ prefix = "127.0.0.0/8", key = "xfr" }]\n'
        fixed = '[[zone]]\nname = "fixed.example."\nfile = "zone"\n'
        primary = Daemon(saolad, f"{folder}/above", above, own + allowed + fixed)
        had = f'[[zone]]\nname = "{ZONE}"\nprimaries = [{{ address = "127.0.0.1:{above}", key = "xfr" }}]\n'
        edge = Daemon(saolad, f"{folder}/below", below, had + allowed)
        try:
            talk(primary, edge)
        finally:
            primary.stop()
            edge.stop()
    if failed:
        sys.exit(f"{failed} wrong")


def talk(primary, edge):
    check("the primary serves", primary.wait(primary.serial))
    check("the secondary serves", edge.wait(edge.serial))
    first = primary.serial()

    zone = transfer(primary.port)
    check("AXFR with the key", isinstance(zone, dns.zone.Zone) and len(records(zone)) > 10)
    check("AXFR of the secondary is the same", records(transfer(edge.port)) == records(zone))
    check("AXFR without a key is refused", "REFUSED" in str(transfer(primary.port, key=None)))
    check("AXFR with a key that may not is refused", "REFUSED" in str(transfer(primary.port, key="other.")))
    guessed = dns.tsigkeyring.from_text({"xfr.": ("hmac-sha256", SECRETS["other."])})
    check("AXFR with a guessed secret: BADSIG", isinstance(transfer(primary.port, ring=guessed), dns.tsig.PeerBadSignature))
    unknown = dns.tsigkeyring.from_text({"nobody.": ("hmac-sha256", SECRETS["xfr."])})
    check("AXFR with an unknown key: BADKEY", isinstance(transfer(primary.port, key="nobody.", ring=unknown), dns.tsig.PeerBadKey))
    longer = dns.tsigkeyring.from_text({"xfr.": ("hmac-sha512", SECRETS["xfr."])})
    check("AXFR with another algorithm: BADKEY", isinstance(transfer(primary.port, ring=longer), dns.tsig.PeerBadKey))
    real = time.time
    time.time = lambda: real() - 3600
    late = transfer(primary.port)
    time.time = real
    check("AXFR with a late clock: BADTIME", isinstance(late, (dns.tsig.PeerBadTime, dns.tsig.BadTime)))

    for how in (dns.query.udp, dns.query.tcp):
        name = how.__name__
        reply = updated(primary.port, lambda m: m.add(f"{name}", 60, "TXT", name), how=how)
        check(f"UPDATE by {name}: NOERROR, signed", reply.rcode() == 0 and reply.had_tsig)
        answer = dns.query.udp(dns.message.make_query(f"{name}.{ZONE}", "TXT"), "127.0.0.1", port=primary.port, timeout=5)
        check(f"UPDATE by {name} is answered from", answer.answer and answer.answer[0][0].strings == (name.encode(),))
    check("two UPDATEs are two versions", primary.serial() == first + 2)

    held = dns.zone.Zone(ZONE, relativize=False)
    with held.writer() as writer:
        for name, ttl, rdata in zone.iterate_rdatas():
            writer.add(name, ttl, rdata)
    after = transfer(primary.port, serial=first, zone=held)
    check("IXFR by TCP leads to the zone", isinstance(after, dns.zone.Zone) and records(after) == records(transfer(primary.port)))
    now = primary.serial()
    updated(primary.port, lambda m: m.delete("tcp"))
    after = transfer(primary.port, serial=now, zone=after, udp=True)
    check("IXFR by UDP leads to the zone", isinstance(after, dns.zone.Zone) and records(after) == records(transfer(primary.port)))

    for what, change, expected in [
        ("a name that is there", lambda m: (m.present("www"), m.add("a", 60, "A", "192.0.2.9")), "NOERROR"),
        ("a name that is missing", lambda m: (m.present("nobody"), m.add("b", 60, "A", "192.0.2.9")), "NXDOMAIN"),
        ("a name that should be missing", lambda m: (m.absent("www"), m.add("b", 60, "A", "192.0.2.9")), "YXDOMAIN"),
        ("a set that is missing", lambda m: (m.present("www", "MX"), m.add("b", 60, "A", "192.0.2.9")), "NXRRSET"),
        ("a set that should be missing", lambda m: (m.absent("www", "A"), m.add("b", 60, "A", "192.0.2.9")), "YXRRSET"),
        ("a set of another value", lambda m: (m.present("www", "A", "192.0.2.77"), m.add("b", 60, "A", "192.0.2.9")), "NXRRSET"),
        ("a name of another zone", lambda m: m.add(dns.name.from_text("www.example.net."), 60, "A", "192.0.2.9"), "NOTZONE"),
    ]:
        check(f"UPDATE with {what}: {expected}", code(lambda: updated(primary.port, change)) == expected)
    check("nothing of what was refused is there", dns.query.udp(dns.message.make_query(f"b.{ZONE}", "A"), "127.0.0.1", port=primary.port, timeout=5).rcode() == dns.rcode.NXDOMAIN)
    add = lambda m: m.add("c", 60, "A", "192.0.2.9")
    check("UPDATE without a key: REFUSED", code(lambda: updated(primary.port, add, key=None)) == "REFUSED")
    check("UPDATE with a key that may not: REFUSED", code(lambda: updated(primary.port, add, key="other.")) == "REFUSED")
    check("UPDATE with a guessed secret: BADSIG", code(lambda: updated(primary.port, add, ring=guessed)) == "PeerBadSignature")
    check("UPDATE of a zone that is its file: REFUSED", code(lambda: updated(primary.port, add, zone="fixed.example.")) == "REFUSED")
    check("UPDATE of a zone that is not here: NOTAUTH", code(lambda: updated(primary.port, add, zone="example.net.")) == "NOTAUTH")
    check("UPDATE at the secondary: REFUSED", code(lambda: updated(edge.port, add)) == "REFUSED")

    def notify(port, zone=ZONE):
        message = dns.message.make_query(zone, "SOA")
        message.set_opcode(dns.opcode.NOTIFY)
        message.flags |= dns.flags.AA
        return dns.query.udp(message, "127.0.0.1", port=port, timeout=5)

    check("the secondary does not know yet", edge.serial() != primary.serial())
    reply = notify(edge.port)
    check("NOTIFY: NOERROR and AA", reply.rcode() == 0 and reply.flags & dns.flags.AA and reply.opcode() == dns.opcode.NOTIFY)
    check("NOTIFY brings the secondary up", edge.wait(lambda: edge.serial() == primary.serial()))
    check("and its zone is the primary's", records(transfer(edge.port)) == records(transfer(primary.port)))
    check("NOTIFY of a zone that is not here: NOTAUTH", code(lambda: notify(edge.port, "example.net.")) == "NOTAUTH")
    check("NOTIFY to a primary: REFUSED", code(lambda: notify(primary.port)) == "REFUSED")


main()
