//! What is asked of every TCP socket between peers.
//!
//! Separate, because it is the one place that depends on the operating system.

use crate::frame::Lane;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long what was sent on the connection for heartbeats may stay unanswered by the peer's kernel. Without
/// this, a connection across a network that was cut waits for a back-off of minutes after it has healed.
const CONTROL_STALL: Duration = Duration::from_secs(3);
/// The same for records, whose receiver may be busy. They end with the connection for heartbeats anyway.
const BULK_STALL: Duration = Duration::from_secs(30);

/// Prepares a socket for a lane: no waiting for more to send (RFC 896), and an end to silence (RFC 5482).
pub(crate) fn prepare(stream: &TcpStream, lane: Lane) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stall = match lane {
        Lane::Control => CONTROL_STALL,
        Lane::Bulk => BULK_STALL,
    };
    user_timeout(stream, stall)
}

#[cfg(target_os = "linux")]
fn user_timeout(stream: &TcpStream, stall: Duration) -> io::Result<()> {
    let millis = u32::try_from(stall.as_millis()).unwrap_or(u32::MAX);
    Ok(rustix::net::sockopt::set_tcp_user_timeout(stream, millis)?)
}

#[cfg(not(target_os = "linux"))]
fn user_timeout(_: &TcpStream, _: Duration) -> io::Result<()> {
    Ok(())
}
