//! Tests of the group coordinator without a socket.
