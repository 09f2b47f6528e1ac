//! A page of a list: keys in the order of their bytes, and, where there is a delimiter, one entry for all keys that have the same text up to
//! it.
//!
//! The rows come from Postgres in batches that [`Page`] asks for. After a folder it asks for what comes after everything in it, so a folder
//! of a million objects costs no more than one of ten. Where a page ends is told as a key or a folder: the next page begins after it,
//! whatever was added or removed meanwhile.

use crate::name::after_all;

/// Most rows of one batch.
const BATCH: usize = 1001;

/// One entry of a page: the caller's row, or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<T> {
    Object(T),
    Folder(String),
}

/// Where a batch begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// At this key, or the first one after it.
    At(String),
    /// At the first one after this key.
    After(String),
}

/// A page that is being put together.
#[derive(Debug)]
pub struct Page<T> {
    prefix: String,
    delimiter: Option<String>,
    limit: usize,
    entries: Vec<Entry<T>>,
    from: Option<From>,
    batch: usize,
    last: Option<String>,
    more: bool,
}

impl<T> Page<T> {
    /// A page of at most `limit` entries, with keys that begin with `prefix`, after `start_after`: a key, or a folder that a page ended with.
    pub fn new(prefix: &str, delimiter: Option<&str>, start_after: Option<&str>, limit: usize) -> Page<T> {
        let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty()).map(str::to_owned);
        let mut page = Page {
            prefix: prefix.to_owned(),
            delimiter,
            limit,
            entries: Vec::new(),
            from: Some(From::At(prefix.to_owned())),
            batch: limit.saturating_add(1).min(BATCH),
            last: None,
            more: false,
        };
        if let Some(after) = start_after.filter(|after| *after >= prefix) {
            page.from = match page.folder(after) {
                // Everything in it was told of with it. A key in a folder stands for its folder, too: a page ends with folders only.
                Some(folder) => after_all(&folder).map(From::At),
                None => Some(From::After(after.to_owned())),
            };
        }
        page
    }

    /// The batch to read next: from where, and how many rows; `None` when the page is complete.
    pub fn wants(&self) -> Option<(&From, usize)> {
        self.from.as_ref().filter(|_| !self.more).map(|from| (from, self.batch))
    }

    /// Takes the batch that was asked for, each row with its key, in order. `keep` may say that the page is full.
    pub fn take(&mut self, rows: Vec<(String, T)>, mut fits: impl FnMut(&Entry<T>) -> bool) {
        let complete = rows.len() < self.batch;
        let asked = self.batch;
        let mut skipped = 0;
        // While the rows of a folder are passed over.
        let mut within: Option<String> = None;
        let mut next = None;
        for (key, row) in rows {
            if within.as_ref().is_some_and(|folder| key.starts_with(folder.as_str())) {
                skipped += 1;
                continue;
            }
            within = self.folder(&key);
            let entry = match &within {
                Some(folder) => Entry::Folder(folder.clone()),
                None => Entry::Object(row),
            };
            if self.entries.len() == self.limit || !self.entries.is_empty() && !fits(&entry) {
                self.more = true;
                return;
            }
            if self.entries.is_empty() {
                // The first one is shown, however large: else there would be no way past it.
                _ = fits(&entry);
            }
            self.last = Some(within.clone().unwrap_or_else(|| key.clone()));
            self.entries.push(entry);
            next = Some(From::After(key));
        }
        if let Some(folder) = &within {
            next = after_all(folder).map(From::At);
        }
        self.from = if complete { None } else { next };
        // Many rows of few folders: smaller steps lose less.
        self.batch = if skipped * 2 > asked { (asked / 4).max(8) } else { (asked * 2).min(BATCH) };
        self.batch = self.batch.min(self.limit - self.entries.len() + 1);
    }

    /// The entries, and where the next page begins if there are more.
    pub fn end(self) -> (Vec<Entry<T>>, Option<String>) {
        let next = self.last.filter(|_| self.more);
        (self.entries, next)
    }

    /// The folder of a key: up to and with the first delimiter after the prefix.
    fn folder(&self, key: &str) -> Option<String> {
        let delimiter = self.delimiter.as_deref()?;
        let rest = key.strip_prefix(self.prefix.as_str())?;
        let at = rest.find(delimiter)?;
        Some(key[..self.prefix.len() + at + delimiter.len()].to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// One page of `keys`, and how many rows were read for it.
    fn page(
        keys: &BTreeSet<String>,
        prefix: &str,
        delimiter: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> (Vec<Entry<String>>, Option<String>, usize) {
        let (mut page, mut read) = (Page::new(prefix, delimiter, after, limit), 0);
        while let Some((from, batch)) = page.wants() {
            let matching = keys.iter().filter(|key| key.starts_with(prefix));
            let rows: Vec<(String, String)> = matching
                .filter(|key| match from {
                    From::At(at) => *key >= at,
                    From::After(after) => *key > after,
                })
                .take(batch)
                .map(|key| (key.clone(), key.clone()))
                .collect();
            read += rows.len();
            page.take(rows, |_| true);
        }
        let (entries, next) = page.end();
        (entries, next, read)
    }

    fn all(
        keys: &BTreeSet<String>,
        prefix: &str,
        delimiter: Option<&str>,
        limit: usize,
    ) -> Vec<Entry<String>> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (entries, next, _) = page(keys, prefix, delimiter, after.as_deref(), limit);
            assert!(entries.len() <= limit);
            found.extend(entries);
            match next {
                Some(next) => after = Some(next),
                None => return found,
            }
        }
    }

    /// As one would say it.
    fn expected(keys: &BTreeSet<String>, prefix: &str, delimiter: Option<&str>) -> Vec<Entry<String>> {
        let mut entries: Vec<Entry<String>> = Vec::new();
        for key in keys.iter().filter(|key| key.starts_with(prefix)) {
            let folder = delimiter.filter(|delimiter| !delimiter.is_empty()).and_then(|delimiter| {
                let at = key[prefix.len()..].find(delimiter)?;
                Some(key[..prefix.len() + at + delimiter.len()].to_owned())
            });
            let entry = folder.map_or_else(|| Entry::Object(key.clone()), Entry::Folder);
            if entries.last() != Some(&entry) {
                entries.push(entry);
            }
        }
        entries
    }

    #[test]
    fn a_large_folder_is_passed_over() {
        let mut keys: BTreeSet<String> = (0..5000).map(|n| format!("big/{n:05}")).collect();
        keys.extend((0..5).map(|n| format!("more/{n}")));
        keys.insert("z".to_owned());
        let (entries, next, read) = page(&keys, "", Some("/"), None, 10);
        let folder = |name: &str| Entry::Folder(name.to_owned());
        assert_eq!(entries, [folder("big/"), folder("more/"), Entry::Object("z".to_owned())]);
        assert_eq!(next, None);
        assert!(read < 50, "{read} rows were read");
    }

    #[test]
    fn a_page_goes_on_after_what_it_ended_with_whatever_came_in_between() {
        let keys: BTreeSet<String> = ["a", "b/1", "b/2", "c"].map(str::to_owned).into();
        let (entries, next, _) = page(&keys, "", Some("/"), None, 2);
        assert_eq!((entries.len(), next.as_deref()), (2, Some("b/")));
        let keys: BTreeSet<String> = ["A", "b/3", "bb", "c"].map(str::to_owned).into();
        let (entries, next, _) = page(&keys, "", Some("/"), next.as_deref(), 2);
        assert_eq!(entries, ["bb", "c"].map(|key| Entry::Object(key.to_owned())));
        assert_eq!(next, None);
    }

    proptest! {
        #[test]
        fn pages_together_are_the_whole(
            keys in proptest::collection::btree_set("[ab/%_ä\u{10ffff}]{1,6}", 0..60),
            prefix in "[ab/]{0,2}",
            delimiter in proptest::option::of("[/a]{0,2}"),
            limit in 1..9usize,
        ) {
            let delimiter = delimiter.as_deref();
            prop_assert_eq!(all(&keys, &prefix, delimiter, limit), expected(&keys, &prefix, delimiter));
        }
    }
}
