//! How many of something each agent has at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

type Taken<K> = Mutex<HashMap<K, usize>>;

/// The places that are taken, and the most that one agent may have.
pub(super) struct Places<K> {
    taken: Arc<Taken<K>>,
    most: usize,
}

/// One of them.
pub(in crate::relay) struct Place<K: Clone + Eq + Hash> {
    taken: Arc<Taken<K>>,
    whose: K,
}

impl<K: Clone + Eq + Hash> Places<K> {
    pub(super) fn new(most: usize) -> Self {
        Self { taken: Arc::default(), most }
    }

    /// One more place; `None` where the agent has as many as it may.
    pub(super) fn take(&self, whose: K) -> Option<Place<K>> {
        let mut taken = self.taken.lock().ok()?;
        let count = taken.entry(whose.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { taken: Arc::clone(&self.taken), whose })
    }
}

impl<K: Clone + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let Ok(mut taken) = self.taken.lock() else { return };
        if let Entry::Occupied(mut count) = taken.entry(self.whose.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}
