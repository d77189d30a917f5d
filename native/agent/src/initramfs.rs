//! The first stage where the kernel cannot mount the root by itself: modules from the initramfs, then the host's root by 9p.

#![forbid(unsafe_code)]

use crate::{config, modules, mounts};
use anyhow::Context;
use rustix::mount::{MountFlags, mount, mount_move};
use std::path::Path;

/// Lists the initramfs's modules in the order of loading, one path to a line.
const ORDER: &str = "/modules/order";
const NEW_ROOT: &str = "/newroot";

/// Goes over to the root named by `dpb_root=TAG`; without it the kernel has mounted the root already.
///
/// # Errors
/// With the step that failed.
pub fn leave(command_line: &str) -> anyhow::Result<()> {
    let Some(tag) = config::parameter(command_line, "dpb_root") else { return Ok(()) };
    let order = std::fs::read_to_string(ORDER).context(ORDER)?;
    order.lines().try_for_each(|path| modules::load(Path::new(path)))?;
    std::fs::create_dir_all(NEW_ROOT).context(NEW_ROOT)?;
    let options = c"trans=virtio,version=9p2000.L,cache=loose,msize=512000";
    mount(tag, NEW_ROOT, "9p", MountFlags::RDONLY, options).with_context(|| format!("mounting 9p {tag}"))?;
    std::env::set_current_dir(NEW_ROOT).context(NEW_ROOT)?;
    mount_move(".", "/").context("moving the root")?;
    rustix::process::chroot(".").context("chroot")?;
    std::env::set_current_dir("/").context("the new root")?;
    mounts::proc()?;
    Ok(())
}
