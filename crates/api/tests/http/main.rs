//! The routes over the real core and ledger: what strangers send, what they get, and what that changed.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test, as tests do")]

mod access;
mod answers;
mod cluster;
mod directory;
mod hooks;
mod monitors;
mod node;
mod notices;
mod orders;
mod pages;
mod refusals;
mod streams;
