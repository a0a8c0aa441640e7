"""A zone with a digest over its RRs (ZONEMD, RFC 8976; made by dnspython) from Debian's named: taken when it is right, named and
left alone when it is not."""
import dns.rdata
import dns.rdataset
import dns.zone

import test_transfer_in as transfers
from lib.node import until


def with_digest(serial, entries, spoil=False):
    """The line that a master file of these entries wants."""
    zone = dns.zone.from_text(transfers.master(serial, entries), origin=transfers.ZONE, relativize=False)
    digest = zone.compute_digest(dns.zone.DigestHashAlgorithm.SHA384)
    text = digest.to_text()
    if spoil:
        text = text[:-1] + ("0" if text[-1] != "0" else "1")
    return "@ ZONEMD %s\n" % text


def test_what_has_a_digest_is_taken_when_it_is_right_alone(tmp_path):
    entries = list(range(1, 150))
    right, wrong = with_digest(1, entries), with_digest(2, entries[:-5], spoil=True)
    with transfers.Named(tmp_path / "named", 1, entries, right) as p, \
            transfers.secondary(tmp_path / "s", [p.port], zone={"soa": {"refresh": "1s", "retry": "1s"}}) as s:
        transfers.serial_is(s, 1)
        assert len(transfers.contents(s)) == 149
        s.stop()
        p.write(2, entries[:-5], wrong)
        p.reload()
        until("the primary has serial 2", lambda: transfers.soa_at(p.port) == 2, 20)
        s.start()
        until("it listens to commands", lambda: s.candor("refresh", transfers.ZONE, "--whole", check=False).returncode == 0)
        transfers.link_error(s, p.port, "ZONEMD")
        assert transfers.soa(s) == 1 and len(transfers.contents(s)) == 149
        p.write(3, entries[:-5], with_digest(3, entries[:-5]))
        p.reload()
        transfers.serial_is(s, 3)
        assert len(transfers.contents(s)) == 144
