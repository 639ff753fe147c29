//! Memory that is divided among those that use it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many use it now.
#[derive(Clone, Debug, Default)]
pub(super) struct Users(Arc<AtomicUsize>);

impl Users {
    /// One that may come to use it, and does not yet.
    pub(super) fn user(&self) -> User {
        User {
            users: self.clone(),
            is_counted: false,
        }
    }

    /// What each of them may have of so much.
    pub(super) fn share_of(&self, whole: usize) -> usize {
        whole / self.0.load(Ordering::Relaxed).max(1)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of them, or one that was or will be.
#[derive(Debug)]
pub(super) struct User {
    users: Users,
    is_counted: bool,
}

impl User {
    pub(super) fn begin(&mut self) {
        if !std::mem::replace(&mut self.is_counted, true) {
            self.users.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn end(&mut self) {
        if std::mem::replace(&mut self.is_counted, false) {
            self.users.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_use_it_have_equal_shares_and_the_others_none() {
        let users = Users::default();
        assert_eq!(users.share_of(60), 60);
        let (mut one, mut two) = (users.user(), users.user());
        let _idle = users.user();
        for user in [&mut one, &mut two] {
            user.begin();
            user.begin();
        }
        assert_eq!(users.share_of(60), 30);
        one.end();
        one.end();
        assert_eq!(users.count(), 1);
        drop((one, two));
        assert_eq!(users.count(), 0);
    }
}
