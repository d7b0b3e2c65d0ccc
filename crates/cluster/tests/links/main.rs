//! Links between real nodes, over real sockets and real TLS, with a CA made for each test.

#[cfg(test)]
mod cables;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod talk;
