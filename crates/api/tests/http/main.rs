//! The routes over the real core and ledger: what strangers send, what they get, and what that changed.

mod access;
mod directory;
mod node;
mod notices;
mod orders;
mod pages;
mod refusals;
mod streams;
