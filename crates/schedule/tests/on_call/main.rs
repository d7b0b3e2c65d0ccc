//! Who is on call, from outside: tables of civil time, forms and their mistakes, laws, and an oracle in Python.

mod arbitrary;
mod calendars;
mod common;
mod forms;
mod laws;
mod oracle;
mod overlays;
mod zones;
