//! Images of small zones: read back, and what the check sees that no checksum can.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::*;
use crate::dns::master::{self, Options};
use crate::dns::{NameRef, Records, Rtype};
use crate::zone::build;

/// A delegation of each kind, an empty non-terminal, a wildcard, a DNAME; NSEC3 links for the apex and one more name.
const ZONE: &str = "$ORIGIN vn.\n$TTL 60\n@ SOA a.dns h 7 1 1 1 1\n@ NS a.dns\n@ NSEC3PARAM 1 0 1 aabb\na.dns A 192.0.2.1\n\
    b.com NS ns1.b.com\nb.com NS ns.out.example.\nb.com DS 1 13 1 0011223344556677889900112233445566778899\nns1.b.com A 192.0.2.2\nc.com NS gone\nd.com NS ns1.b.com\nd.com TXT beside\n\
    *.wild MX 10 a.dns\ndname DNAME wild\n00000000000000000000000000000000 NSEC3 1 1 1 aabb 80000000000000000000000000000000 NS\n\
    80000000000000000000000000000000 NSEC3 1 1 1 aabb 00000000000000000000000000000000 A\n";

const NSEC: &str = "$ORIGIN vn.\n$TTL 60\n@ SOA a h 7 1 1 1 1\n@ NS a\n@ NSEC a.vn. NS SOA NSEC\na A 192.0.2.1\na NSEC vn. A NSEC\n";

fn apex() -> Name {
    Name::parse("vn").expect("name")
}

fn records(text: &str) -> Records {
    master::scan(text.as_bytes(), "zone", &Options::new(apex().as_ref()), &mut |_, _| Err(String::new())).expect("good text")
}

/// The zone built with a fixed seed, so that its image is the same each time.
fn zone(text: &str) -> Zone {
    let mut records = records(text);
    records.sort();
    let zone = Zone::build(apex().as_ref(), records.clone()).expect("a zone");
    Zone { base: Arc::new(build::build(apex().as_ref(), &records, 1).expect("a zone")), ..zone }
}

fn written(zone: &Zone) -> Vec<u8> {
    let mut image = Vec::new();
    zone.write_image(b"account", &mut image).expect("memory takes it");
    image
}

fn read(image: &[u8], apex: NameRef<'_>) -> Result<Zone, ImageError> {
    let read_at = |out: &mut [u8], at: u64| {
        let at = usize::try_from(at).map_err(io::Error::other)?;
        out.copy_from_slice(image.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    };
    let image = Image::open(apex, image.len() as u64, &read_at)?;
    assert_eq!(image.account(), b"account");
    image.zone()
}

#[test]
fn what_is_written_reads_back() {
    let signed = ZONE;
    for text in [signed, NSEC, "$TTL 60\nvn. SOA . . 1 1 1 1 1\n"] {
        let zone = zone(text);
        let image = written(&zone);
        let back = read(&image, zone.apex()).expect("good");
        assert_eq!(back.counts(), zone.counts());
        assert_eq!(back.soa(), zone.soa());
        let list = |zone: &Zone| zone.records().iter().map(|r| (r.owner.to_owned(), r.rtype, r.ttl, r.rdata.to_vec())).collect::<Vec<_>>();
        assert_eq!(list(&back), list(&zone));
        assert_eq!(back.base.absent_hosts, zone.base.absent_hosts);
        assert!(written(&back) == image, "written again it is the same");
    }
}

#[test]
fn many_chunks_read_back() {
    let mut text = ZONE.to_owned();
    text.push_str("$GENERATE 1-40000 name$ NS ns.name$\n$GENERATE 1-40000 ns.name$ A 192.0.2.1\n");
    let zone = zone(&text);
    let image = written(&zone);
    assert!(image.len() > 8 * CHUNK, "{} octets", image.len());
    assert_eq!(read(&image, zone.apex()).expect("good").records().len(), zone.records().len());
    let mut rng = fastrand::Rng::with_seed(5);
    for _ in 0..40 {
        let mut damaged = image.clone();
        let at = rng.usize(..image.len());
        damaged[at] ^= 1 << rng.u8(..8);
        assert!(read(&damaged, zone.apex()).is_err(), "octet {at}");
        let (a, b) = (rng.usize(1..image.len() / CHUNK), rng.usize(1..image.len() / CHUNK));
        let mut moved = image.clone();
        moved.copy_within(a * CHUNK..(a + 1) * CHUNK, b * CHUNK);
        assert!(a == b || read(&moved, zone.apex()).is_err(), "chunk {a} at {b}");
    }
}

#[test]
fn every_damage_is_refused() {
    let zone = zone(ZONE);
    let image = written(&zone);
    for at in 0..image.len() {
        for bit in 0..8 {
            let mut damaged = image.clone();
            damaged[at] ^= 1 << bit;
            assert!(read(&damaged, zone.apex()).is_err(), "octet {at}, bit {bit}");
        }
        assert!(read(&image[..at], zone.apex()).is_err(), "cut at {at}");
    }
    assert!(matches!(read(&[&image[..], b"\0"].concat(), zone.apex()), Err(ImageError::Length)));
    let other = Name::parse("com.vn").expect("name");
    assert!(matches!(read(&image, other.as_ref()), Err(ImageError::Apex(found)) if found == apex()));
}

/// A file full of holes has any length at no cost.
#[test]
fn a_head_of_terabytes_is_not_read() {
    let mut image = written(&zone(ZONE));
    let at = MAGIC.len() + 8;
    image[at..at + 8].copy_from_slice(&(1u64 << 40).to_le_bytes());
    let read_at = |out: &mut [u8], at: u64| {
        out.copy_from_slice(&image[at as usize..][..out.len()]);
        Ok(())
    };
    assert!(matches!(Image::open(apex().as_ref(), 1 << 42, &read_at).err(), Some(ImageError::Length)));
}

#[test]
fn what_the_arrays_mean_has_a_number() {
    // No CRC: that of octets with their own CRC behind them is the same whatever they are.
    let digest = HEXLOWER.encode(&Sha256::digest(written(&zone(ZONE)))[..8]);
    assert_eq!(
        (LAYOUT, &*digest),
        (1, "c22caaff80d19dbc"),
        "nodes, pieces, index or chain changed their meaning: raise LAYOUT and write the new sum here"
    );
}

/// Images that hold together by their checksums and not by what they say.
#[test]
fn what_contradicts_itself_is_refused() {
    #[track_caller]
    fn refused(what: &str, change: impl FnOnce(&mut Base)) {
        refused_of(ZONE, what, change);
    }
    #[track_caller]
    fn refused_of(text: &str, what: &str, change: impl FnOnce(&mut Base)) {
        let mut zone = zone(text);
        let mut head = Head::of(&zone, b"account");
        let base = Arc::get_mut(&mut zone.base).expect("one owner");
        change(base);
        (head.n_nodes, head.counts) = (base.arena.nodes.len(), base.counts);
        let mut image = Vec::new();
        write(&head, base, &mut image).expect("memory takes it");
        let error = read(&image, zone.apex()).map(|_| ()).expect_err(what);
        assert!(matches!(&error, ImageError::Malformed(found) if found.contains(what)), "{what}: {error}");
    }
    let place = |name: &str, zone: &Zone| zone.node(Name::parse(name).expect("name").as_ref()).expect("there").id() as usize;
    let good = zone(ZONE);
    let (cut, plain) = (place("b.com.vn", &good), place("a.dns.vn", &good));
    // Behind flags, length and six octets of name: NS set, link, DS set.
    for (at, what) in [(cut + 8, "node"), (cut + 12, "node"), (cut + 16, "node"), (plain + 8, "node")] {
        refused(what, |base| base.arena.nodes[at..at + 4].copy_from_slice(&u32::MAX.wrapping_sub(9).to_le_bytes()));
    }
    refused("a node", |base| base.arena.nodes[cut] |= 3);
    refused("a node", |base| base.arena.nodes[cut + 1] = 200);
    refused("a node", |base| base.arena.nodes[cut + 2] = 64);
    refused("a node", |base| base.arena.nodes.truncate(base.arena.nodes.len() - 1));
    refused("counts other", |base| base.counts.cuts += 1);
    refused("index", |base| base.arena.nodes.truncate(cut));
    refused("chain", |base| {
        let Chain::Nsec3(chain) = &base.chain else { panic!("NSEC3") };
        let (hashes, sets, starts, shift) = chain.arrays();
        let turned = hashes.iter().rev().copied().collect();
        base.chain =
            Chain::Nsec3(crate::zone::chain::Nsec3Chain::of_arrays(chain.params.clone(), turned, sets.to_vec(), starts.to_vec(), shift));
    });
    for (a, n) in [(1, 1), (1, u32::MAX), (0, u32::MAX)] {
        refused_of(NSEC, "chain", |base| {
            let Chain::Nsec(order) = &mut base.chain else { panic!("NSEC") };
            order[a] = order[a].wrapping_add(n);
        });
    }
    refused_of(NSEC, "chain", |base| {
        let Chain::Nsec(order) = &mut base.chain else { panic!("NSEC") };
        order.reverse();
    });
    // The set of an MX record: a pointer that leads to itself, one that leads past the end.
    let set = good.node(Name::parse("*.wild.vn").expect("name").as_ref()).and_then(|node| node.set(Rtype::MX)).expect("there").id as usize;
    refused("a node", |base| base.arena.pieces[set + 13] = 2);
    refused("a node", |base| base.arena.pieces[set + 12] = 0x7f);
    refused("a node", |base| base.arena.pieces[set] += 1);
}
