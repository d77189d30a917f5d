//! First process of a sandbox: mounts, modules, network, and commands for the harness over vsock.
