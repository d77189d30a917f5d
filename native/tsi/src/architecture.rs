//! System call numbers the filter needs, for both machines a guest may be. From asm/unistd.h of the kernel.

#![forbid(unsafe_code)]

/// One machine's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Architecture {
    /// AUDIT_ARCH_* (include/uapi/linux/audit.h).
    pub audit: u32,
    /// socket(2)
    pub socket: u32,
    /// connect(2)
    pub connect: u32,
    /// bind(2)
    pub bind: u32,
    /// listen(2)
    pub listen: u32,
    /// accept(2)
    pub accept: u32,
    /// accept4(2)
    pub accept4: u32,
    /// getsockname(2)
    pub getsockname: u32,
    /// getpeername(2)
    pub getpeername: u32,
    /// setsockopt(2)
    pub setsockopt: u32,
    /// getsockopt(2)
    pub getsockopt: u32,
    /// ioctl(2)
    pub ioctl: u32,
}

/// x86-64
pub const X86_64: Architecture = Architecture {
    audit: 0xc000_003e,
    socket: 41,
    connect: 42,
    bind: 49,
    listen: 50,
    accept: 43,
    accept4: 288,
    getsockname: 51,
    getpeername: 52,
    setsockopt: 54,
    getsockopt: 55,
    ioctl: 16,
};

/// 64-bit ARM
pub const AARCH64: Architecture = Architecture {
    audit: 0xc000_00b7,
    socket: 198,
    connect: 203,
    bind: 200,
    listen: 201,
    accept: 202,
    accept4: 242,
    getsockname: 204,
    getpeername: 205,
    setsockopt: 208,
    getsockopt: 209,
    ioctl: 29,
};

/// The machine this is built for.
#[cfg(target_arch = "x86_64")]
pub const NATIVE: Architecture = X86_64;
/// The machine this is built for.
#[cfg(target_arch = "aarch64")]
pub const NATIVE: Architecture = AARCH64;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("dpb-tsi knows the system calls of x86_64 and aarch64 only: add them to architecture.rs");

#[cfg(test)]
mod tests {
    use super::NATIVE;

    #[test]
    fn numbers_are_those_of_libc() {
        let numbers = [
            (NATIVE.socket, libc::SYS_socket),
            (NATIVE.connect, libc::SYS_connect),
            (NATIVE.bind, libc::SYS_bind),
            (NATIVE.listen, libc::SYS_listen),
            (NATIVE.accept, libc::SYS_accept),
            (NATIVE.accept4, libc::SYS_accept4),
            (NATIVE.getsockname, libc::SYS_getsockname),
            (NATIVE.getpeername, libc::SYS_getpeername),
            (NATIVE.setsockopt, libc::SYS_setsockopt),
            (NATIVE.getsockopt, libc::SYS_getsockopt),
            (NATIVE.ioctl, libc::SYS_ioctl),
        ];
        for (ours, libcs) in numbers {
            assert_eq!(i64::from(ours), libcs);
        }
    }
}
