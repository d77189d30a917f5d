//! Kernel modules, from files.

#![forbid(unsafe_code)]

use std::fs::File;
use std::path::{Path, PathBuf};

/// A module that the kernel did not take.
#[derive(Debug, thiserror::Error)]
#[error("kernel module {path}: {because}; are modules and kernel of one version?")]
pub struct ModuleError {
    path: PathBuf,
    because: std::io::Error,
}

/// Loads one; that it is there already is fine.
///
/// # Errors
/// Where the file cannot be read or the kernel refuses it.
pub fn load(path: &Path) -> Result<(), ModuleError> {
    let failed = |because| ModuleError { path: path.to_owned(), because };
    let file = File::open(path).map_err(failed)?;
    match rustix::system::finit_module(&file, c"", 0) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(failed(error.into())),
    }
}
