//! How far behind a standby is, by one clock: the listener's own.
//!
//! The primary is asked now and then for the end of its log, and each answer is kept with the moment before it was asked. A standby
//! that has replayed up to such an end has everything that was committed before that moment. No clock of another machine is
//! involved, and a primary on which nothing happens needs no special care.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A place in the log in bytes (pg_lsn).
pub(super) type Lsn = u64;

/// What the primary said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// When it was asked.
    pub(super) asked: Instant,
    /// pg_current_wal_insert_lsn().
    pub(super) inserted: Lsn,
    /// The end of the last record, as far as that shows in `inserted`.
    record: Lsn,
}

/// Ends of the primary's log, oldest first.
#[derive(Debug)]
pub(super) struct History {
    ends: VecDeque<End>,
    keep: Duration,
    /// The primary's system identifier, where it may be asked.
    pub(super) system: Option<u64>,
}

/// How a standby compares with what is known of its primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    /// The primary was not asked yet, or its log begins anew.
    Unknown,
    /// It has everything that the primary had then.
    CaughtUp(Instant),
    /// It was further behind than the bound when the primary was last asked.
    Behind,
}

/// Behind the header of a page, of which the larger has 40 bytes, there is room for no whole record: so close to a page's begin the
/// place for the next record says that the last one ended on the page before, or in the continuation that goes up to here.
const HEADER: Lsn = 40;

impl History {
    /// `bound` is the greatest lag of a standby that is fit.
    pub(super) fn new(bound: Duration) -> History {
        History { ends: VecDeque::new(), keep: bound, system: None }
    }

    /// The primary, asked at `asked`, is about to write at `inserted`; its log has pages of `page` bytes.
    pub(super) fn push(&mut self, asked: Instant, inserted: Lsn, page: Lsn) {
        let over = inserted.checked_rem(page).unwrap_or(0);
        // The next record goes behind the page's header, while the last one ended, and a standby says so, before it.
        let record = if over <= HEADER { inserted - over } else { inserted };
        if self.ends.back().is_some_and(|last| inserted < last.inserted) {
            // Another server has become the primary: what was known of the old one says nothing about this one.
            self.ends.clear();
        }
        // Nothing happened since: the standby that has that has all of it.
        if self.ends.back().is_some_and(|last| last.record == record) {
            self.ends.pop_back();
        }
        self.ends.push_back(End { asked, inserted, record });
        while self.ends.len() > 1
            && self.ends.front().is_some_and(|first| asked.saturating_duration_since(first.asked) > self.keep)
        {
            self.ends.pop_front();
        }
    }

    /// The last answer of the primary.
    pub(super) fn last(&self) -> Option<End> {
        self.ends.back().copied()
    }

    /// What a standby has that has replayed up to `replayed`. What lies further back than the bound is not in the history.
    pub(super) fn compare(&self, replayed: Lsn) -> Compared {
        if self.ends.is_empty() {
            return Compared::Unknown;
        }
        let end = self.ends.iter().rev().find(|end| end.record <= replayed);
        end.map_or(Compared::Behind, |end| Compared::CaughtUp(end.asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: Lsn = 8192;

    fn seconds(start: Instant, n: u64) -> Instant {
        start + Duration::from_secs(n)
    }

    #[test]
    fn a_standby_has_what_the_primary_had_when_it_wrote_there() {
        let (start, mut history) = (Instant::now(), History::new(Duration::from_secs(5)));
        assert_eq!(history.compare(0), Compared::Unknown);
        for (at, lsn) in [(0, 1000), (1, 2000), (2, 3000)] {
            history.push(seconds(start, at), lsn, PAGE);
        }
        assert_eq!(history.compare(999), Compared::Behind);
        assert_eq!(history.compare(1000), Compared::CaughtUp(start));
        assert_eq!(history.compare(2999), Compared::CaughtUp(seconds(start, 1)));
        assert_eq!(history.compare(9999), Compared::CaughtUp(seconds(start, 2)));
    }

    #[test]
    fn an_idle_primary_leaves_nobody_behind() {
        let (start, mut history) = (Instant::now(), History::new(Duration::from_secs(5)));
        (0..100).for_each(|at| history.push(seconds(start, at), 1000, PAGE));
        assert_eq!(history.compare(1000), Compared::CaughtUp(seconds(start, 99)));
        assert_eq!(history.ends.len(), 1);
    }

    #[test]
    fn whoever_stands_still_falls_out_of_the_bound() {
        let (start, mut history) = (Instant::now(), History::new(Duration::from_secs(5)));
        (0..60).for_each(|at| history.push(seconds(start, at), 1000 + at, PAGE));
        assert_eq!(history.compare(1054), Compared::CaughtUp(seconds(start, 54)));
        assert_eq!(history.compare(1053), Compared::Behind, "older answers are not kept");
        assert!(history.ends.len() <= 6);
        // The primary is not asked any more: nobody falls further behind by that.
        assert_eq!(history.compare(1054), Compared::CaughtUp(seconds(start, 54)));
        // One answer after a long pause is the only one there is.
        history.push(seconds(start, 500), 1060, PAGE);
        assert_eq!(history.compare(1059), Compared::Behind);
        assert_eq!(history.compare(1060), Compared::CaughtUp(seconds(start, 500)));
    }

    #[test]
    fn the_header_of_an_empty_page_is_no_record() {
        let (start, mut history) = (Instant::now(), History::new(Duration::from_secs(5)));
        for header in [24, 40] {
            // The last record ended with the page; the next one goes behind the header of the next page.
            history.push(start, 3 * PAGE + header, PAGE);
            assert_eq!(history.compare(3 * PAGE), Compared::CaughtUp(start), "{header}");
            assert_eq!(history.compare(3 * PAGE - 8), Compared::Behind);
        }
        history.push(seconds(start, 1), 3 * PAGE + 48, PAGE);
        assert_eq!(history.compare(3 * PAGE + 40), Compared::CaughtUp(start), "a record is missing");
    }

    #[test]
    fn a_new_primary_begins_anew() {
        let (start, mut history) = (Instant::now(), History::new(Duration::from_secs(5)));
        history.push(start, 5000, PAGE);
        history.push(seconds(start, 1), 4000, PAGE);
        assert_eq!(history.compare(4000), Compared::CaughtUp(seconds(start, 1)));
        assert_eq!(history.compare(3999), Compared::Behind);
    }
}
