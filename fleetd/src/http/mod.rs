//! The API on the unix socket.
