//! How requests reach the core: as calls into the node's event loop, each with a place for its answer.
//!
//! Separate from the routes, because this is the whole border between the server's many tasks and the one
//! loop that owns the core. Nothing here waits without an end.

use base::Now;
use base::limits::INPUTS_QUEUED_MAX;
use dispatch::{Answer, Dispatch, Input, Ticket};
use std::fmt;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long a request waits for the core's answer. What it asked for may still be done after that.
pub const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// Something to be read from the core, at the loop's time.
pub type Reading = Box<dyn FnOnce(&Dispatch, Now) + Send>;

/// What the event loop is asked.
pub enum Call {
    /// To take an input, and to send what the core answers to its ticket.
    Put {
        /// Makes the input once the loop has drawn a ticket.
        make: Box<dyn FnOnce(Ticket) -> Input + Send>,
        /// Where the answer goes.
        answer: oneshot::Sender<Answer>,
    },
    /// To let something be read, at the loop's time. The work is bounded.
    Read(Reading),
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Put { .. } => "Put",
            Self::Read(_) => "Read",
        })
    }
}

/// Why a call came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Too many calls wait; nothing was done. Ask again in a second.
    #[error("the node is busy: {INPUTS_QUEUED_MAX} requests wait already")]
    Busy,
    /// The event loop has ended; nothing was done, or it is done at the next start.
    #[error("the node is stopping")]
    Stopped,
    /// There was no answer in [`ANSWER_WAIT`]. What was asked for may still be done.
    #[error("the node did not answer within {} s; what was asked for may still be done", ANSWER_WAIT.as_secs())]
    TimedOut,
}

/// The way into the event loop. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Calls(mpsc::Sender<Call>);

impl Calls {
    /// A way in that holds at most `capacity` calls, usually [`INPUTS_QUEUED_MAX`], and the loop's end of it.
    pub fn new(capacity: usize) -> (Self, mpsc::Receiver<Call>) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        (Self(sender), receiver)
    }

    /// Hands an input to the core and waits until it is answered, which means: until it is durable.
    ///
    /// # Errors
    /// [`CallError`]; a refusal by the core is an answer.
    pub async fn put(
        &self,
        make: impl FnOnce(Ticket) -> Input + Send + 'static,
    ) -> Result<Answer, CallError> {
        let (answer, answered) = oneshot::channel();
        self.send(Call::Put { make: Box::new(make), answer })?;
        wait(answered).await
    }

    /// Reads from the core. `read` must be bounded: everything else stands still meanwhile.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Dispatch, Now) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        let (answer, answered) = oneshot::channel();
        self.send(Call::Read(Box::new(move |core, now| {
            drop(answer.send(read(core, now))); // A client that has gone away is nobody to tell.
        })))?;
        wait(answered).await
    }

    /// How many calls wait now.
    pub fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }

    fn send(&self, call: Call) -> Result<(), CallError> {
        self.0.try_send(call).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CallError::Busy,
            mpsc::error::TrySendError::Closed(_) => CallError::Stopped,
        })
    }
}

async fn wait<T>(answered: oneshot::Receiver<T>) -> Result<T, CallError> {
    match tokio::time::timeout(ANSWER_WAIT, answered).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(CallError::Stopped),
        Err(_) => Err(CallError::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_and_an_ended_loop_are_told_apart() {
        let (calls, receiver) = Calls::new(1);
        calls.send(Call::Read(Box::new(|_, _| ()))).unwrap();
        assert_eq!(calls.waiting(), 1);
        assert_eq!(calls.read(|_, _| ()).await, Err(CallError::Busy));
        drop(receiver);
        assert_eq!(calls.read(|_, _| ()).await, Err(CallError::Stopped));
    }
}
