//! A disk in memory that can be full, fail, or lose power: what was not synced is then there by pages, in any order, or not.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::rc::Rc;

use saola::disk::{Octets, Store};

/// Octets that are on the disk whole or not at all; small, so that small files have many.
pub const PAGE: usize = 64;

/// A disk with a place for one file.
#[derive(Clone, Default)]
pub struct Disk {
    state: Rc<RefCell<State>>,
}

#[derive(Clone, Default)]
struct State {
    files: Vec<Contents>,
    /// Which file has the name: for processes, and after a power cut.
    name: Option<usize>,
    durable_name: Option<usize>,
    faults: Faults,
    /// Operations until the power goes; several disks may have it from one place.
    power: Rc<Cell<Option<usize>>>,
    n_writes: usize,
}

/// What goes wrong.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    /// After so many operations there is no power.
    pub power: Option<usize>,
    /// There is room for so many octets more.
    pub room: Option<usize>,
    /// Cutting files fails.
    pub cut: bool,
    /// Syncing fails.
    pub sync: bool,
}

/// What a file was at its last sync and after each write since then; processes see the last.
#[derive(Clone)]
struct Contents {
    versions: Vec<Vec<u8>>,
}

impl Contents {
    fn now(&self) -> &Vec<u8> {
        self.versions.last().expect("there is always one")
    }
}

impl Disk {
    /// A disk with a file of these octets.
    pub fn with(octets: &[u8]) -> Self {
        let disk = Self::default();
        disk.put(octets);
        disk
    }

    /// Puts a file of these octets in the place, durably.
    pub fn put(&self, octets: &[u8]) {
        let mut state = self.state.borrow_mut();
        state.files.push(Contents { versions: vec![octets.to_vec()] });
        state.name = Some(state.files.len() - 1);
        state.durable_name = state.name;
    }

    /// What has the name now.
    pub fn octets(&self) -> Vec<u8> {
        let state = self.state.borrow();
        state.name.map(|file| state.files[file].now().clone()).unwrap_or_default()
    }

    /// How many times something was written.
    pub fn n_writes(&self) -> usize {
        self.state.borrow().n_writes
    }

    /// The same disk, in the machine of another one.
    pub fn moved_beside(self, other: &Self) -> Self {
        let power = Rc::clone(&other.state.borrow().power);
        self.state.borrow_mut().power = power;
        self
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        let mut state = self.state.borrow_mut();
        state.power.set(faults.power);
        state.faults = faults;
    }

    /// Another disk in the same machine: the power goes for both.
    pub fn beside(&self) -> Self {
        let power = Rc::clone(&self.state.borrow().power);
        Self { state: Rc::new(RefCell::new(State { power, ..State::default() })) }
    }

    /// After how many operations there is no power.
    pub fn power(&self) -> Option<usize> {
        self.state.borrow().power.get()
    }

    /// True if there is no power.
    pub fn is_off(&self) -> bool {
        self.power() == Some(0)
    }

    /// A disk with the same contents and a life of its own.
    pub fn copy(&self) -> Self {
        let mut state = self.state.borrow().clone();
        state.power = Rc::new(Cell::new(state.power.get()));
        Self { state: Rc::new(RefCell::new(state)) }
    }

    /// The disk after a power cut. `below` gives any number below another one. Each page and the length are of any moment since the last sync; a
    /// page that had not been written yet is zeros, or what another file left there.
    pub fn after_power_cut(&self, below: &mut dyn FnMut(usize) -> usize) -> Self {
        let state = self.state.borrow();
        let name = if below(2) == 0 { state.name } else { state.durable_name };
        let Some(name) = name else { return Self::default() };
        let versions = &state.files[name].versions;
        let in_order = below(2) == 0;
        // Disks that write in order are as likely as others.
        let moment = below(versions.len());
        let any = |below: &mut dyn FnMut(usize) -> usize| if in_order { moment } else { below(versions.len()) };
        let mut octets = vec![0; versions[any(below)].len()];
        for (i, page) in octets.chunks_mut(PAGE).enumerate() {
            let from = i * PAGE;
            let version = &versions[any(below)];
            let stale = &state.files[below(state.files.len())].versions[0];
            let source = if version.len() <= from && below(8) == 0 { stale } else { version };
            let there = source.get(from..).unwrap_or_default();
            let n = there.len().min(page.len());
            page[..n].copy_from_slice(&there[..n]);
        }
        Self::with(&octets)
    }
}

impl State {
    /// One more operation, if there is power.
    fn operate(&mut self) -> io::Result<()> {
        match self.power.get() {
            Some(0) => Err(io::Error::other("no power")),
            Some(n) => {
                self.power.set(Some(n - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn write(&mut self, file: usize, octets: &[u8], at: usize) -> io::Result<usize> {
        self.n_writes += 1;
        let powered = self.operate();
        let mut version = self.files[file].now().clone();
        let needed = (at + octets.len()).saturating_sub(version.len());
        let room = self.faults.room.unwrap_or(usize::MAX);
        // What the power lets through of the last write is half of it.
        let n = if powered.is_err() { octets.len() / 2 } else { octets.len() - needed.saturating_sub(room).min(octets.len()) };
        let end = at + n;
        if let Some(room) = &mut self.faults.room {
            *room -= end.saturating_sub(version.len()).min(*room);
        }
        if version.len() < end {
            version.resize(end, 0);
        }
        version[at..end].copy_from_slice(&octets[..n]);
        self.files[file].versions.push(version);
        powered?;
        if n == 0 && !octets.is_empty() { Err(ErrorKind::StorageFull.into()) } else { Ok(n) }
    }

    fn sync(&mut self, file: usize) -> io::Result<()> {
        self.operate()?;
        if self.faults.sync {
            return Err(io::Error::other("the disk does not sync"));
        }
        let now = self.files[file].now().clone();
        self.files[file].versions = vec![now];
        Ok(())
    }
}

impl Store for Disk {
    type File = Open;

    fn path(&self) -> &Path {
        Path::new("log")
    }

    fn open(&self) -> io::Result<Open> {
        let mut state = self.state.borrow_mut();
        state.operate()?;
        state.durable_name = state.name;
        let file = state.name.ok_or(ErrorKind::NotFound)?;
        Ok(Open { disk: self.clone(), file })
    }

    fn replace(&self, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<Open> {
        let file = {
            let mut state = self.state.borrow_mut();
            state.files.push(Contents { versions: vec![Vec::new()] });
            state.files.len() - 1
        };
        let open = Open { disk: self.clone(), file };
        let mut octets = Vec::new();
        write(&mut octets)?;
        let mut at = 0;
        while at < octets.len() {
            at += open.write_at(&octets[at..octets.len().min(at + PAGE)], at as u64)?;
        }
        open.sync()?;
        let mut state = self.state.borrow_mut();
        state.operate()?;
        state.name = Some(file);
        state.operate()?;
        state.durable_name = Some(file);
        Ok(open)
    }
}

/// An open file.
pub struct Open {
    disk: Disk,
    file: usize,
}

impl Octets for Open {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.state.borrow().files[self.file].now().len() as u64)
    }

    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<usize> {
        let state = self.disk.state.borrow();
        let there = state.files[self.file].now().get(at as usize..).unwrap_or_default();
        let n = there.len().min(out.len());
        out[..n].copy_from_slice(&there[..n]);
        Ok(n)
    }

    fn write_at(&self, octets: &[u8], at: u64) -> io::Result<usize> {
        self.disk.state.borrow_mut().write(self.file, octets, at as usize)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state.borrow_mut();
        state.operate()?;
        if state.faults.cut {
            return Err(io::Error::other("the disk does not cut"));
        }
        let mut version = state.files[self.file].now().clone();
        version.resize(len as usize, 0);
        state.files[self.file].versions.push(version);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.state.borrow_mut().sync(self.file)
    }
}
