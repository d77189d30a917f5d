//! The vhost-user vsock device of datapath-bench: hybrid vsock for a sandbox’s agent, TSI for its applications.
