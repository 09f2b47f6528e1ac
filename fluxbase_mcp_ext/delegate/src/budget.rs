//! Bytes in flight, of all calls together.
//!
//! Invariants: the bytes handed out never exceed the limit but for what was handed out before the limit was lowered; whoever
//! waits is served in the order of arrival; a share goes back when it is dropped.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one permit.
const UNIT: u64 = 1024;

/// A number of bytes that calls share.
#[derive(Debug)]
pub struct Budget {
    free: Arc<Semaphore>,
    sizes: Mutex<Sizes>,
}

#[derive(Debug)]
struct Sizes {
    /// Units that there are.
    limit: usize,
    /// Units that are still to be taken away, since they were in use when the limit was lowered.
    debt: usize,
}

/// A part of the budget; dropping it gives it back.
#[derive(Debug)]
pub struct Share {
    permit: Option<OwnedSemaphorePermit>,
    budget: Arc<Budget>,
}

fn units(bytes: u64) -> usize {
    usize::try_from(bytes.div_ceil(UNIT)).unwrap_or(usize::MAX).min(u32::MAX as usize)
}

impl Budget {
    /// A budget of `bytes`, at least a kilobyte.
    pub fn new(bytes: u64) -> Arc<Budget> {
        let limit = units(bytes).max(1);
        Arc::new(Budget {
            free: Arc::new(Semaphore::new(limit)),
            sizes: Mutex::new(Sizes { limit, debt: 0 }),
        })
    }

    fn sizes(&self) -> std::sync::MutexGuard<'_, Sizes> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets another limit. What is in use beyond it is taken away as it comes back.
    pub fn resize(&self, bytes: u64) {
        let limit = units(bytes).max(1);
        let mut sizes = self.sizes();
        if limit > sizes.limit {
            let more = limit - sizes.limit;
            let paid = more.min(sizes.debt);
            sizes.debt -= paid;
            self.free.add_permits(more - paid);
        } else {
            let less = sizes.limit - limit;
            sizes.debt += less - self.free.forget_permits(less);
        }
        sizes.limit = limit;
    }

    /// Waits for that many bytes; more than there are at all count as all of them.
    pub async fn take(self: &Arc<Self>, bytes: u64) -> Share {
        let wanted = units(bytes).min(self.sizes().limit).max(1);
        let permit = Arc::clone(&self.free).acquire_many_owned(wanted as u32).await;
        // The semaphore is never closed; if it were, the bytes would simply not be counted.
        Share { permit: permit.ok(), budget: Arc::clone(self) }
    }

    /// Bytes in use, rounded up.
    pub fn used(&self) -> u64 {
        let sizes = self.sizes();
        ((sizes.limit + sizes.debt).saturating_sub(self.free.available_permits())) as u64 * UNIT
    }

    /// Bytes that there are.
    pub fn limit(&self) -> u64 {
        self.sizes().limit as u64 * UNIT
    }
}

impl Share {
    /// Gives back what is beyond `bytes`.
    pub fn shrink(&mut self, bytes: u64) {
        let Some(permit) = &mut self.permit else { return };
        let surplus = permit.num_permits().saturating_sub(units(bytes));
        let surplus = permit.split(surplus);
        self.budget.settle(surplus);
    }
}

impl Budget {
    fn settle(&self, permit: Option<OwnedSemaphorePermit>) {
        let Some(mut permit) = permit else { return };
        let mut sizes = self.sizes();
        let gone = sizes.debt.min(permit.num_permits());
        if let Some(gone) = permit.split(gone) {
            sizes.debt -= gone.num_permits();
            gone.forget();
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.settle(self.permit.take());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_is_taken_comes_back() {
        let budget = Budget::new(10 * UNIT);
        let mut first = budget.take(6 * UNIT).await;
        let second = budget.take(4 * UNIT - 1).await;
        assert_eq!(budget.used(), 10 * UNIT);
        let waiting = tokio::time::timeout(Duration::from_millis(20), budget.take(1));
        assert!(waiting.await.is_err(), "there is nothing left");
        first.shrink(UNIT);
        assert_eq!(budget.used(), 5 * UNIT);
        drop((first, second));
        assert_eq!(budget.used(), 0);
        // More than there is means all of it.
        let all = budget.take(u64::MAX).await;
        assert_eq!(budget.used(), 10 * UNIT);
        drop(all);
    }

    #[tokio::test]
    async fn a_lower_limit_is_reached_as_shares_come_back() {
        let budget = Budget::new(10 * UNIT);
        let share = budget.take(8 * UNIT).await;
        budget.resize(4 * UNIT);
        assert_eq!((budget.limit(), budget.used()), (4 * UNIT, 8 * UNIT));
        drop(share);
        assert_eq!(budget.used(), 0);
        let all = budget.take(100 * UNIT).await;
        assert_eq!(budget.used(), 4 * UNIT);
        budget.resize(20 * UNIT);
        let more = tokio::time::timeout(Duration::from_secs(5), budget.take(16 * UNIT)).await;
        assert!(more.is_ok());
        drop(all);
        assert_eq!(budget.used(), 16 * UNIT);
    }

    #[tokio::test]
    async fn a_limit_that_rises_again_pays_what_is_owed() {
        let budget = Budget::new(10 * UNIT);
        let share = budget.take(10 * UNIT).await;
        budget.resize(2 * UNIT);
        budget.resize(5 * UNIT);
        drop(share);
        assert_eq!((budget.limit(), budget.used()), (5 * UNIT, 0));
        let all = tokio::time::timeout(Duration::from_secs(5), budget.take(5 * UNIT)).await;
        assert!(all.is_ok());
    }
}
