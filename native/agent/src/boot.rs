//! From a bare kernel to a guest that answers.

#![forbid(unsafe_code)]

use crate::config::{self, Config};
use crate::{initramfs, modules, mounts, network, serve, vsock};
use anyhow::Context;
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::system::{RebootCommand, reboot, sethostname};
use std::convert::Infallible;

/// Descriptors that a program may have: the kernel's own limit (fs.nr_open).
const DESCRIPTORS: u64 = 1 << 20;

/// Brings the guest up and serves for ever.
///
/// # Errors
/// With the step that failed.
pub fn run() -> anyhow::Result<Infallible> {
    mounts::proc()?;
    let command_line = std::fs::read_to_string("/proc/cmdline").context("/proc/cmdline")?;
    let config = config::read(&command_line)?;
    initramfs::leave(&command_line)?;
    bring_up(&config)?;
    let listener = vsock::listener(config.port).with_context(|| format!("listening on vsock port {}", config.port))?;
    println!("{}", serde_json::json!({ "event": "ready", "agent": serve::hello() }));
    serve::serve(&listener, poweroff).context("accepting connections")?;
    anyhow::bail!("no connection is accepted any more")
}

fn bring_up(config: &Config) -> anyhow::Result<()> {
    // Modules first: they lie in a folder that the next mounts may cover.
    config.modules.iter().try_for_each(|path| modules::load(path))?;
    mounts::rest()?;
    if let Some(share) = &config.share {
        mounts::share(share)?;
    }
    sethostname(config.hostname.as_bytes()).context("hostname")?;
    setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), maximum: Some(DESCRIPTORS) })
        .context("limit of open files")?;
    network::configure(config.interface.as_ref())?;
    config.sysctls.iter().try_for_each(|(name, value)| network::sysctl(name, value))?;
    Ok(())
}

/// Ends the machine. A first process that returned would make the kernel panic.
pub fn poweroff() {
    rustix::fs::sync();
    if let Err(error) = reboot(RebootCommand::PowerOff) {
        eprintln!("dpb-agent: cannot switch off: {error}");
    }
}
