//! The product as its users meet it: the real binary, as a process that can be killed, and mail servers that we
//! did not write.
//!
//! One test binary for all, so that the program is linked once. Trials are seeded; `STEADFAST_TRIALS` sets how
//! many of each fault are run (a dozen by default, hundreds in `cargo xtask soak`).

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "the whole crate is a test")]

mod bad_input;
mod cluster;
mod hooks;
mod hush;
mod imports;
mod kill;
mod mailbox;
mod mass;
mod monitors;
mod on_call;
mod operator;
mod prometheus;
mod providers;
mod routes;
mod site;
mod story;
