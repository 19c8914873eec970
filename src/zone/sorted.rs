//! Values in the order of their keys, in parts that versions share: a change of one copies one part.

use std::cmp::Ordering;
use std::sync::Arc;

/// What stands in a [`Sorted`] at a place: the part, and which of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u32);

/// The most values of a part, beyond which it is halved. Our choice: a change copies as many pointers.
const FULL: usize = 64;
/// Values of a part fit in so many bits of a place.
const BITS: u32 = 8;

/// Values in ascending order, no two with one key. Cloning costs a pointer for each part, and a change then a few dozen values, however many there are.
#[derive(Clone)]
pub(super) struct Sorted<V> {
    /// None of them empty.
    parts: Vec<Arc<Vec<V>>>,
    len: usize,
}

impl<V> Default for Sorted<V> {
    fn default() -> Self {
        Self { parts: Vec::new(), len: 0 }
    }
}

impl Place {
    fn new(part: usize, i: usize) -> Self {
        Self((part as u32) << BITS | i as u32)
    }

    fn of(self) -> (usize, usize) {
        ((self.0 >> BITS) as usize, (self.0 & ((1 << BITS) - 1)) as usize)
    }

    /// As a number, for those who keep one.
    pub fn number(self) -> u32 {
        self.0
    }

    /// What [`Self::number`] gave.
    pub fn from_number(n: u32) -> Self {
        Self(n)
    }
}

impl<V> Sorted<V> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without a value.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The place of the value that `order` finds equal to what is sought, or of the first that is greater.
    #[inline]
    pub fn search(&self, mut order: impl FnMut(&V) -> Ordering) -> Result<Place, Place> {
        let part = self.parts.partition_point(|part| order(&part[part.len() - 1]).is_lt());
        match self.parts.get(part).map(|values| values.binary_search_by(order)) {
            Some(Ok(i)) => Ok(Place::new(part, i)),
            Some(Err(i)) => Err(Place::new(part, i)),
            None => Err(Place::new(part, 0)),
        }
    }

    /// The value that `order` finds equal to what is sought.
    #[inline]
    pub fn find(&self, order: impl FnMut(&V) -> Ordering) -> Option<&V> {
        self.at(self.search(order).ok()?)
    }

    /// The value at a place.
    #[inline]
    pub fn at(&self, place: Place) -> Option<&V> {
        let (part, i) = place.of();
        self.parts.get(part)?.get(i)
    }

    /// The place behind this one, which has a value.
    pub fn after(&self, place: Place) -> Place {
        let (part, i) = place.of();
        if self.parts.get(part).is_some_and(|values| i + 1 < values.len()) { Place::new(part, i + 1) } else { Place::new(part + 1, 0) }
    }

    /// The values from a place on, with their places. The place may be the one behind the last of a part.
    pub fn from(&self, place: Place) -> impl Iterator<Item = (Place, &V)> {
        let (part, i) = place.of();
        let is_behind = self.parts.get(part).is_some_and(|values| i >= values.len());
        let mut place = if is_behind { Place::new(part + 1, 0) } else { place };
        std::iter::from_fn(move || {
            let (at, value) = (place, self.at(place)?);
            place = self.after(place);
            Some((at, value))
        })
    }

    /// The values in front of a place, the nearest first, with their places.
    pub fn before(&self, place: Place) -> impl Iterator<Item = (Place, &V)> {
        let (mut part, mut i) = place.of();
        std::iter::from_fn(move || {
            if i == 0 {
                part = part.checked_sub(1)?;
                i = self.parts.get(part)?.len();
            }
            i -= 1;
            let place = Place::new(part, i);
            Some((place, self.at(place)?))
        })
    }

    /// All values backwards.
    pub fn backwards(&self) -> impl Iterator<Item = (Place, &V)> {
        self.before(Place::new(self.parts.len(), 0))
    }

    /// All values.
    pub fn iter(&self) -> impl Iterator<Item = &V> {
        self.parts.iter().flat_map(|part| part.iter())
    }
}

impl<V: Clone> Sorted<V> {
    /// Puts a value in where `order` says that it stands, in place of one that is equal.
    ///
    /// # Panics
    /// When there are more than sixteen million parts.
    pub fn put(&mut self, value: V, order: impl FnMut(&V) -> Ordering) {
        let (part, i, is_there) = match self.search(order) {
            Ok(place) => (place.of().0, place.of().1, true),
            Err(place) => (place.of().0, place.of().1, false),
        };
        if is_there {
            Arc::make_mut(&mut self.parts[part])[i] = value;
            return;
        }
        self.len += 1;
        // What is greater than all goes to the last part.
        let (part, i) = match (self.parts.get(part), self.parts.last()) {
            (None, Some(last)) => (part - 1, last.len()),
            (None, None) => {
                self.parts.push(Arc::default());
                (0, 0)
            }
            (Some(_), _) => (part, i),
        };
        let values = Arc::make_mut(&mut self.parts[part]);
        values.insert(i, value);
        if values.len() > FULL {
            let behind = values.split_off(FULL / 2);
            self.parts.insert(part + 1, Arc::new(behind));
            assert!(self.parts.len() < 1 << (32 - BITS), "places have so many bits");
        }
    }

    /// Takes the value out that `order` finds equal to what is sought, if it is there.
    pub fn remove(&mut self, order: impl FnMut(&V) -> Ordering) {
        let Ok(place) = self.search(order) else { return };
        let (part, i) = place.of();
        self.len -= 1;
        if self.parts[part].len() == 1 {
            self.parts.remove(part);
        } else {
            Arc::make_mut(&mut self.parts[part]).remove(i);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Against a map that everybody knows, through many changes, and every version stays what it was.
    #[test]
    fn it_is_a_list_of_versions() {
        let mut random = fastrand::Rng::with_seed(5);
        let (mut sorted, mut expected) = (Sorted::<(u32, u32)>::default(), BTreeMap::new());
        let (mut versions, mut most) = (Vec::new(), 0);
        for step in 0..20_000 {
            // It grows first, and is emptied in the end.
            let (key, is_gone) = (random.u32(0..3000) * 2, random.u32(0..12_000) < step);
            if is_gone {
                sorted.remove(|(other, _)| other.cmp(&key));
                expected.remove(&key);
            } else {
                sorted.put((key, step), |(other, _)| other.cmp(&key));
                expected.insert(key, step);
            }
            most = most.max(sorted.parts.len());
            if step % 1000 == 0 {
                versions.push((sorted.clone(), expected.clone()));
            }
        }
        assert!(most > 20 && sorted.parts.iter().all(|part| (1..=FULL).contains(&part.len())));
        versions.push((sorted, expected));
        for (sorted, expected) in versions {
            assert!(sorted.iter().map(|(key, value)| (key, value)).eq(&expected));
            assert_eq!(sorted.len(), expected.len());
            assert!(sorted.backwards().map(|(_, (key, _))| key).eq(expected.keys().rev()));
            for key in 0..6002 {
                let (Ok(place) | Err(place)) = sorted.search(|(other, _)| other.cmp(&key));
                assert_eq!(sorted.find(|(other, _)| other.cmp(&key)).map(|(_, value)| value), expected.get(&key));
                assert!(sorted.from(place).map(|(_, (key, _))| key).take(70).eq(expected.range(key..).map(|(key, _)| key).take(70)));
                assert!(
                    sorted.before(place).map(|(_, (key, _))| key).take(70).eq(expected.range(..key).rev().map(|(key, _)| key).take(70))
                );
            }
        }
    }
}
