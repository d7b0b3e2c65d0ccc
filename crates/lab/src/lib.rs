//! A laboratory for tests and measurements: networks that can be cut, processes that can be killed, and a
//! receiver that counts what arrives.
//!
//! Separate from the product, which never depends on it, and without a line of the product in it: what is
//! observed here is observed from outside, and the same hand observes ours and other people's programs.
//!
//! ```text
//!             this process, in a network namespace of its own
//!   Sink on 10.1.1.254 ── s1 (bridge; its ports see only this process) ── eth "side" of each node
//!                         l1 (bridge)                                  ── eth "lan"  of each node
//! ```
//!
//! Everything happens inside namespaces that [`enter`] or [`within`] makes and that end with the process,
//! whatever ends it: nothing is left behind on the machine, and two runs cannot meet.
//!
//! Errors are sentences for the person who ran the test: nobody here reacts to one by kind.

mod inside;
mod net;
mod process;
mod sink;

pub use inside::{Place, enter, is_inside, within};
pub use net::Lan;
pub use process::Process;
pub use sink::{Arrival, Sink};
