//! Moves a program’s TCP sockets onto vsock inside a sandbox: seccomp supervisor and LD_PRELOAD library.
