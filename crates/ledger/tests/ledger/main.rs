//! The ledger as the node uses it: real files, real threads, real crashes.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod common;
#[cfg(test)]
mod history;
#[cfg(test)]
mod migration;
#[cfg(test)]
mod mirror;
#[cfg(test)]
mod projection;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod world;
