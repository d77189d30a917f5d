//! A guest without a kernel: drives a vhost-user vsock device from shared memory, for tests, fuzzing and benchmarks.
