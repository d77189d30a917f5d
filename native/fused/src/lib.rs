//! The vsock device and the node proxy in one process.
