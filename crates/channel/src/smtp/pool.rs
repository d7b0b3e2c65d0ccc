//! Connections between two mails: kept for the next one, closed when they have been idle for long.
//!
//! Servers drop idle connections after some time anyway; closing first is polite, and spares the next mail
//! a connection that is gone.

use super::session::Session;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Idle sessions, the one used last on top.
#[derive(Debug)]
pub(super) struct Pool {
    shelf: Arc<Mutex<Shelf>>,
    idle_timeout: Duration,
}

#[derive(Debug, Default)]
struct Shelf {
    idle: Vec<(Instant, Session)>,
    /// A task is there that clears the overdue ones away.
    watched: bool,
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    // Nothing panics while it is held; and if it did, a list of sessions is whole at every moment.
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    pub(super) fn new(idle_timeout: Duration) -> Self {
        Self { shelf: Arc::default(), idle_timeout }
    }

    /// The session that was used last, unless it has been idle for too long.
    pub(super) fn take(&self) -> Option<Session> {
        let (until, session) = lock(&self.shelf).idle.pop()?;
        (Instant::now() < until).then_some(session)
    }

    /// Keeps `session` for the next mail.
    pub(super) fn put(&self, session: Session) {
        let until = Instant::now() + self.idle_timeout;
        let mut shelf = lock(&self.shelf);
        shelf.idle.push((until, session));
        if !shelf.watched {
            shelf.watched = true;
            tokio::spawn(watch(Arc::downgrade(&self.shelf), until));
        }
    }
}

/// Closes overdue sessions, until there are none left or the pool is gone.
async fn watch(shelf: Weak<Mutex<Shelf>>, mut next: Instant) {
    loop {
        sleep_until(next).await;
        let Some(shelf) = shelf.upgrade() else { return };
        let (overdue, following) = lock(&shelf).clear(Instant::now());
        for session in overdue {
            session.quit().await;
        }
        match following {
            Some(until) => next = until,
            None => return,
        }
    }
}

impl Shelf {
    /// Takes the overdue sessions out; with them, when the next one will be. Without a next one the watch
    /// ends.
    fn clear(&mut self, now: Instant) -> (Vec<Session>, Option<Instant>) {
        let overdue = self.idle.iter().take_while(|(until, _)| *until <= now).count();
        let overdue = self.idle.drain(..overdue).map(|(_, session)| session).collect();
        let following = self.idle.first().map(|(until, _)| *until);
        self.watched = following.is_some();
        (overdue, following)
    }
}
