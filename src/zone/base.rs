//! The flat arrays of a zone and how a node is read from them.
//!
//! Two arenas: nodes (what differs per name) and pieces (wire bytes, shared where they are equal).
//! Layout of a node, little-endian: flags, length of the name, the name below the apex in lower case, then
//! for a cut its NS set, its proof, DS set, other sets, hosts; for other nodes proof, wildcard proof, children and RRsets.

use std::collections::HashSet;
use std::fmt;

use super::build::hash_prefix;
use super::chain::Chain;
use super::hash::{Index, NameHash};
use super::piece::Set;
use crate::dns::{Name, Rtype};
use crate::memory;

/// The flat arrays.
#[derive(Clone, Default)]
pub struct Base {
    pub(super) seed: u64,
    pub(super) index: Index,
    pub(super) arena: Arena,
    pub(super) chain: Chain,
    pub(super) counts: Counts,
    /// Name servers inside the zone without a node, below the apex: who adds one of them changes referrals elsewhere.
    pub(super) absent_hosts: HashSet<Box<[u8]>>,
}

/// Nodes and pieces.
#[derive(Clone, Default)]
pub struct Arena {
    pub(super) nodes: Vec<u8>,
    pub(super) pieces: Vec<u8>,
}

/// What a zone is made of, for reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Delegations.
    pub cuts: usize,
    /// Delegations with DS.
    pub secure_cuts: usize,
    /// Other authoritative names, empty non-terminals included.
    pub names: usize,
    /// Names below cuts: glue.
    pub hidden: usize,
    /// Records.
    pub records: usize,
    /// Signatures among them.
    pub signatures: usize,
}

/// No link, no set, no host.
pub(super) const NONE: u32 = u32::MAX;
/// A host of an NS set that each cut names itself.
pub(super) const OWN_HOST: u32 = u32::MAX - 1;

pub(super) const KIND_CUT: u8 = 0;
pub(super) const KIND_PLAIN: u8 = 1;
pub(super) const KIND_HIDDEN: u8 = 2;
pub(super) const KIND: u8 = 3;
pub(super) const HAS_WILDCARD: u8 = 1 << 2;
pub(super) const HAS_DNAME: u8 = 1 << 3;
/// On a cut, in the place of the DNAME flag: names are hidden below it that are not its own name servers.
pub(super) const HIDES_OTHERS: u8 = 1 << 3;
pub(super) const HAS_DS: u8 = 1 << 4;
/// A cut has sets beside NS, DS and NSEC; they are never answered, but transferred and used as glue.
pub(super) const HAS_OTHERS: u8 = 1 << 5;
/// The proof of a cut matches it; without the flag it covers the next closer name (opt-out).
pub(super) const LINK_MATCHES: u8 = 1 << 6;
/// The proof of a cut is its NSEC set.
pub(super) const LINK_IS_NSEC: u8 = 1 << 7;

/// A node in an arena.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    arena: &'a Arena,
    at: u32,
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {} {:?}", self.at, self.prefix())
    }
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.arena, other.arena) && self.at == other.at
    }
}

/// What stands in front of the next octet of a node.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    #[inline]
    fn u8(&mut self) -> u8 {
        let n = self.bytes[0];
        self.bytes = &self.bytes[1..];
        n
    }

    #[inline]
    fn u16(&mut self) -> u16 {
        let (n, rest) = self.bytes.split_first_chunk().expect("nodes are whole");
        self.bytes = rest;
        u16::from_le_bytes(*n)
    }

    #[inline]
    fn u32(&mut self) -> u32 {
        let (n, rest) = self.bytes.split_first_chunk().expect("nodes are whole");
        self.bytes = rest;
        u32::from_le_bytes(*n)
    }
}

impl<'a> Node<'a> {
    pub(super) fn new(arena: &'a Arena, at: u32) -> Self {
        Self { arena, at }
    }

    /// Starts to bring the node near, most of which are within two cache lines.
    #[inline]
    pub(super) fn prefetch(self) {
        memory::prefetch(&self.arena.nodes, self.at as usize);
        memory::prefetch(&self.arena.nodes, self.at as usize + 48);
    }

    /// Where the node stands in its arena: tells nodes of one zone apart.
    pub fn id(self) -> u32 {
        self.at
    }

    #[inline]
    fn bytes(self) -> &'a [u8] {
        &self.arena.nodes[self.at as usize..]
    }

    #[inline]
    fn flags(self) -> u8 {
        self.bytes()[0]
    }

    /// The labels below the apex in lower case, wire form without root label; empty at the apex.
    #[inline]
    pub fn prefix(self) -> &'a [u8] {
        let bytes = self.bytes();
        &bytes[2..2 + bytes[1] as usize]
    }

    #[inline]
    fn body(self) -> Reader<'a> {
        let bytes = self.bytes();
        Reader { bytes: &bytes[2 + bytes[1] as usize..] }
    }

    /// True for a zone cut below the apex.
    #[inline]
    pub fn is_cut(self) -> bool {
        self.flags() & KIND == KIND_CUT
    }

    /// True for a name below a cut or a DNAME: never answered with authority.
    pub fn is_hidden(self) -> bool {
        self.flags() & KIND == KIND_HIDDEN
    }

    /// True if `*` stands directly below this name.
    #[inline]
    pub fn has_wildcard(self) -> bool {
        self.flags() & HAS_WILDCARD != 0
    }

    /// True if the node has a DNAME record.
    #[inline]
    pub fn has_dname(self) -> bool {
        self.flags() & (KIND | HAS_DNAME) == KIND_PLAIN | HAS_DNAME
    }

    /// True for a cut below which names stand that are not its own name servers.
    pub(super) fn hides_others(self) -> bool {
        self.is_cut() && self.flags() & HIDES_OTHERS != 0
    }

    /// How many nodes stand directly below this one; 0 for cuts.
    pub(super) fn children(self) -> u32 {
        let mut body = self.body();
        if self.flags() & KIND != KIND_PLAIN {
            return 0;
        }
        body.bytes = &body.bytes[8..];
        body.u32()
    }

    /// The cut's data; only for nodes where [`Self::is_cut`] holds.
    #[inline]
    pub fn cut(self) -> Cut<'a> {
        debug_assert!(self.is_cut());
        let flags = self.flags();
        let mut body = self.body();
        let ns = body.u32();
        let link = body.u32();
        let ds = if flags & HAS_DS != 0 { body.u32() } else { NONE };
        Cut { arena: self.arena, flags, ns, link, ds, rest: body.bytes }
    }

    /// The link of the NSEC3 chain that matches this name.
    #[inline]
    pub fn link(self) -> Option<u32> {
        match self.flags() & KIND {
            KIND_PLAIN => some(self.body().u32()),
            KIND_CUT if self.flags() & LINK_MATCHES != 0 => some(self.cut().link),
            _ => None,
        }
    }

    /// The link that covers (or matches) the wildcard directly below this name.
    pub fn wildcard_link(self) -> Option<u32> {
        let mut body = self.body();
        if self.flags() & KIND != KIND_PLAIN {
            return None;
        }
        body.u32();
        some(body.u32())
    }

    /// The RRsets, but for NS, DS and NSEC at a cut.
    pub fn sets(self) -> impl Iterator<Item = (Rtype, Set<'a>)> {
        self.places().map(move |(rtype, at)| (rtype, Set::at(&self.arena.pieces, at)))
    }

    /// The types and places of [`Self::sets`].
    #[inline]
    fn places(self) -> impl Iterator<Item = (Rtype, u32)> {
        self.list().iter().map(place)
    }

    /// The entries of [`Self::sets`], each a type and a place.
    #[inline]
    fn list(self) -> &'a [[u8; LISTED]] {
        let mut body = self.body();
        let n = match self.flags() & KIND {
            KIND_CUT => {
                let cut = self.cut();
                body = Reader { bytes: cut.rest };
                if cut.has_others() { body.u16() } else { 0 }
            }
            KIND_PLAIN => {
                body.bytes = &body.bytes[12..];
                body.u16()
            }
            _ => body.u16(),
        };
        body.bytes[..LISTED * n as usize].as_chunks().0
    }

    /// The RRset of one type among [`Self::sets`].
    #[inline]
    pub fn set(self, rtype: Rtype) -> Option<Set<'a>> {
        self.places().find(|(t, _)| *t == rtype).map(|(_, at)| Set::at(&self.arena.pieces, at))
    }

    /// Every RRset of the node, those of a cut included.
    pub fn all_sets(self) -> impl Iterator<Item = (Rtype, Set<'a>)> {
        (0..).map_while(move |n| self.nth_place(n)).map(move |(rtype, at)| (rtype, Set::at(&self.arena.pieces, at)))
    }

    /// Type and place of the `n`th of [`Self::all_sets`], in a time that does not grow with `n`.
    #[inline]
    pub(super) fn nth_place(self, mut n: usize) -> Option<(Rtype, u32)> {
        if self.is_cut() {
            let cut = self.cut();
            let nsec = if cut.flags & LINK_IS_NSEC != 0 { cut.link } else { NONE };
            for (rtype, at) in [(Rtype::NS, cut.ns), (Rtype::DS, cut.ds), (Rtype::NSEC, nsec)] {
                if at == NONE {
                    continue;
                }
                if n == 0 {
                    return Some((rtype, at));
                }
                n -= 1;
            }
            if !cut.has_others() {
                return None;
            }
        }
        self.list().get(n).map(place)
    }

    /// The set at a place that [`Self::nth_place`] gave.
    #[inline]
    pub(super) fn set_at(self, at: u32) -> Set<'a> {
        Set::at(&self.arena.pieces, at)
    }

    /// Where the node stands in memory: tells nodes apart, whatever arrays they are of.
    pub fn address(self) -> usize {
        self.bytes().as_ptr().addr()
    }

    /// Octets of the node in its arena.
    pub(super) fn size(self) -> usize {
        node_size(self.bytes())
    }

    /// The full name; `apex` is the zone's.
    pub fn name(self, apex: &Name) -> Name {
        let mut wire = self.prefix().to_vec();
        wire.extend_from_slice(apex.as_ref().to_lowercase().as_ref().as_wire());
        Name::from_wire(&wire).expect("nodes have whole names")
    }
}

/// Octets of the node that `nodes` starts with.
pub(super) fn node_size(nodes: &[u8]) -> usize {
    let (flags, start) = (nodes[0], 2 + nodes[1] as usize);
    let list = |at: usize| at + 2 + LISTED * u16::from_le_bytes([nodes[at], nodes[at + 1]]) as usize;
    match flags & KIND {
        KIND_CUT => {
            let at = start + 8 + if flags & HAS_DS != 0 { 4 } else { 0 };
            let at = if flags & HAS_OTHERS != 0 { list(at) } else { at };
            at + 1 + 4 * nodes[at] as usize
        }
        KIND_PLAIN => list(start + 12),
        _ => list(start),
    }
}

/// Octets of an entry in the list of a node's sets.
const LISTED: usize = 6;

/// The type and the place of an entry.
#[inline]
fn place([t0, t1, at @ ..]: &[u8; LISTED]) -> (Rtype, u32) {
    (Rtype(u16::from_le_bytes([*t0, *t1])), u32::from_le_bytes(*at))
}

fn some(n: u32) -> Option<u32> {
    (n != NONE).then_some(n)
}

/// A zone cut: what a referral is made of.
#[derive(Clone, Copy)]
pub struct Cut<'a> {
    arena: &'a Arena,
    flags: u8,
    ns: u32,
    link: u32,
    ds: u32,
    rest: &'a [u8],
}

/// The proof that a cut has no DS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutLink {
    /// The zone has no chain, or one of NSEC.
    None,
    /// A link of the NSEC3 chain matches the cut.
    Matches(u32),
    /// The cut is in an opt-out span: this link covers the next closer name to the closest provable encloser.
    Covers(u32),
}

impl<'a> Cut<'a> {
    /// The NS set; it has no signatures.
    #[inline]
    pub fn ns(&self) -> Set<'a> {
        Set::at(&self.arena.pieces, self.ns)
    }

    /// The DS set.
    #[inline]
    pub fn ds(&self) -> Option<Set<'a>> {
        some(self.ds).map(|at| Set::at(&self.arena.pieces, at))
    }

    /// Where the NS set stands.
    #[inline]
    pub(super) fn ns_place(&self) -> u32 {
        self.ns
    }

    /// Where the DS set stands.
    #[inline]
    pub(super) fn ds_place(&self) -> Option<u32> {
        some(self.ds)
    }

    /// The NSEC3 proof.
    #[inline]
    pub fn link(&self) -> CutLink {
        match self.link {
            NONE => CutLink::None,
            _ if self.flags & LINK_IS_NSEC != 0 => CutLink::None,
            link if self.flags & LINK_MATCHES != 0 => CutLink::Matches(link),
            link => CutLink::Covers(link),
        }
    }

    /// The NSEC set of the cut in a zone with an NSEC chain.
    pub fn nsec(&self) -> Option<Set<'a>> {
        (self.flags & LINK_IS_NSEC != 0).then(|| Set::at(&self.arena.pieces, self.link))
    }

    fn has_others(&self) -> bool {
        self.flags & HAS_OTHERS != 0
    }

    /// The hosts of the NS set `ns` inside the zone: where the host's name stands in the NS piece, which node has
    /// its addresses, and whether it is at or below this cut.
    #[inline]
    pub fn hosts(&self, ns: &Set<'_>) -> Hosts<'a> {
        let at = self.ns as usize + ns.size();
        let mut own = Reader { bytes: self.rest };
        if self.has_others() {
            let n = own.u16();
            own.bytes = &own.bytes[LISTED * n as usize..];
        }
        own.u8();
        let mut shared = Reader { bytes: &self.arena.pieces[at..] };
        let left = shared.u8();
        Hosts { arena: self.arena, shared: shared.bytes, own: own.bytes, left }
    }
}

/// A name server inside the zone, as a cut uses it.
pub struct Host<'a> {
    /// Where its name stands in the NS piece.
    pub name_at: u16,
    /// True if it is at or below the cut: its addresses are not optional (RFC 9471 §3).
    pub in_domain: bool,
    /// The node with its addresses.
    pub node: Node<'a>,
}

/// The hosts of a cut, see [`Cut::hosts`].
pub struct Hosts<'a> {
    arena: &'a Arena,
    shared: &'a [u8],
    own: &'a [u8],
    left: u8,
}

impl Hosts<'_> {
    /// True without hosts, for most cuts.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }
}

impl<'a> Iterator for Hosts<'a> {
    type Item = Host<'a>;

    #[inline]
    fn next(&mut self) -> Option<Host<'a>> {
        while self.left > 0 {
            self.left -= 1;
            let mut shared = Reader { bytes: self.shared };
            let (name_at, mut host) = (shared.u16(), shared.u32());
            self.shared = shared.bytes;
            let in_domain = host == OWN_HOST;
            if in_domain {
                let mut own = Reader { bytes: self.own };
                host = own.u32();
                self.own = own.bytes;
            }
            if host != NONE {
                return Some(Host { name_at, in_domain, node: Node::new(self.arena, host) });
            }
        }
        None
    }
}

/// True if the labels `prefix` end in the labels `above`.
pub(super) fn is_below(prefix: &[u8], above: &[u8]) -> bool {
    let Some(cut) = prefix.len().checked_sub(above.len()).filter(|_| prefix.ends_with(above)) else { return false };
    let mut at = 0;
    while at < cut {
        at += 1 + prefix[at] as usize;
    }
    at == cut
}

impl Arena {
    /// Bytes held.
    pub fn size(&self) -> usize {
        self.nodes.len() + self.pieces.len()
    }
}

impl Base {
    /// The node with this name below the apex, in lower case; `hash` is its hash.
    #[inline]
    pub(super) fn find(&self, hash: NameHash, prefix: &[u8]) -> Option<Node<'_>> {
        self.index.find(hash, |at| Node::new(&self.arena, at).prefix() == prefix).map(|at| Node::new(&self.arena, at))
    }

    /// Gives the node at `at`, which stands in a few arrays of its own, what those do not tell: its children, and of the node that was
    /// in its place that a wildcard stands below it, and its links.
    pub(super) fn keep(&mut self, at: u32, children: u32, before: Option<Node<'_>>) {
        let (kind, body) = (self.node_at(at).flags() & KIND, at as usize + 2 + self.node_at(at).prefix().len());
        let before = before.filter(|before| before.flags() & KIND == kind);
        let nodes = &mut self.arena.nodes;
        let mut set = |place: usize, n: u32| nodes[body + place..body + place + 4].copy_from_slice(&n.to_le_bytes());
        match (kind, before) {
            (KIND_PLAIN, before) => {
                set(8, children);
                if let Some(before) = before {
                    set(0, before.link().unwrap_or(NONE));
                    set(4, before.wildcard_link().unwrap_or(NONE));
                    nodes[at as usize] |= before.flags() & HAS_WILDCARD;
                }
            }
            (KIND_CUT, Some(before)) if before.cut().link() != CutLink::None => {
                set(4, before.cut().link);
                nodes[at as usize] |= before.flags() & LINK_MATCHES;
            }
            _ => {}
        }
    }

    /// The node at a place that the index gave.
    #[inline]
    pub(super) fn node_at(&self, at: u32) -> Node<'_> {
        Node::new(&self.arena, at)
    }

    /// The apex.
    #[inline]
    pub(super) fn apex(&self) -> Node<'_> {
        Node::new(&self.arena, 0)
    }

    /// Every node in canonical order.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.nodes_from(0)
    }

    /// The nodes below the one with this prefix, which has a node itself if any stands below it; in canonical order.
    pub(super) fn below<'a>(&'a self, prefix: &[u8]) -> impl Iterator<Item = Node<'a>> + use<'a> {
        let top = if prefix.is_empty() { Some(self.apex()) } else { self.find(hash_prefix(self.seed, prefix), prefix) };
        // In canonical order a subtree stands in one place.
        top.into_iter()
            .flat_map(|top| self.nodes_from(top.at as usize + top.size()).take_while(move |node| is_below(node.prefix(), top.prefix())))
    }

    /// The node at `at`, which is the start of one or the end of all.
    #[inline]
    pub(super) fn node_from(&self, at: u32) -> Option<Node<'_>> {
        ((at as usize) < self.arena.nodes.len()).then(|| Node::new(&self.arena, at))
    }

    fn nodes_from(&self, mut at: usize) -> impl Iterator<Item = Node<'_>> {
        std::iter::from_fn(move || {
            if at >= self.arena.nodes.len() {
                return None;
            }
            let node = Node::new(&self.arena, at as u32);
            at += node.size();
            Some(node)
        })
    }

    /// Bytes held by the arrays.
    pub fn size(&self) -> usize {
        self.index.size() + self.arena.size() + self.chain.size()
    }

    /// Moves the arrays into large pages. Cost: that of copying them.
    pub(super) fn enlarge_pages(&self) {
        self.index.enlarge_pages();
        self.chain.enlarge_pages();
        memory::enlarge(&self.arena.nodes);
        memory::enlarge(&self.arena.pieces);
    }
}
