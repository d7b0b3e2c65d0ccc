//! Simulates a cluster: the product's own core and record code on machines, disks, clocks and networks that fail.
//!
//! Separate from the product, of which it takes the core and nothing above it: the node is played by `machine`
//! and `effects`, the ledger by `disk`, the transport by `net` and `links`. One seed is one run, always.
//!
//! Reading order: `profile` (what a run is about), `world` (what happens next), `effects` (what a core asks for),
//! `faults`, `clients`, `people`; then `history` (what really happened) and `invariants` (what must hold).

mod book;
mod clients;
mod disk;
mod effects;
mod end;
mod faults;
mod history;
mod invariants;
mod links;
mod machine;
mod mutation;
mod net;
mod people;
pub mod profile;
mod queue;
mod rng;
mod sweep;
mod words;
mod world;

pub use history::Tally;
pub use mutation::{MUTATIONS, Mutation, Verdict, judge};
pub use profile::{PROFILES, Profile};
pub use sweep::{Summary, Sweep, sweep};
pub use world::{Outcome, Plan, run};
