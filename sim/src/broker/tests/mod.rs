//! The broker on real sockets: against the client library, and against bytes that no library would send.

mod bench;
mod faults;
mod hostile;
mod membership;
mod rules;
