//! The pure core.

pub mod directory;
pub mod record;
pub mod state;
