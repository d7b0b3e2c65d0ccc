//! Configurations of other programs, made by chance and by hand, and what becomes of them.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "the whole crate is a test")]

mod alertmanager;
mod amtool;
mod made;
mod services;
