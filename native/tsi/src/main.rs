//! `dpb-tsi`: see the library and `native/PROTOCOL.md`.

#![forbid(unsafe_code)]

use anyhow::Context;
use clap::Parser;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use tsi::hello::{self, HelloError};
use tsi::supervisor;

/// Exit code when the device does not serve TSI (EX_UNAVAILABLE of sysexits.h).
const UNAVAILABLE: u8 = 69;
/// Exit code when nothing could be run, by a shell's custom.
const NOT_RUN: u8 = 126;

/// File of the preloaded library.
const LIBRARY: &str = "libdpb_tsi.so";

/// Runs a program with its TCP sockets moved onto vsock.
#[derive(Parser)]
#[command(version, about)]
struct Options {
    /// Load libdpb_tsi.so, which lies beside this program, into dynamic programs: quicker at new connections, and the
    /// supervisor takes care of the others
    #[arg(long)]
    preload: bool,
    /// Program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    program: Vec<OsString>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if std::env::var_os("DPB_TSI").is_some_and(|value| value == "off") {
        let failed = Command::new(&options.program[0]).args(&options.program[1..]).exec();
        eprintln!("dpb-tsi: {}: {failed}", options.program[0].display());
        return ExitCode::from(NOT_RUN);
    }
    match run(&options) {
        Ok(code) => ExitCode::from(code as u8),
        Err(error) => {
            eprintln!("dpb-tsi: {error}");
            let unavailable = error.downcast_ref::<HelloError>().is_some();
            ExitCode::from(if unavailable { UNAVAILABLE } else { NOT_RUN })
        }
    }
}

fn run(options: &Options) -> anyhow::Result<i32> {
    let pod = hello::pod()?;
    let preload = if options.preload { Some(library()?) } else { None };
    Ok(supervisor::run(&options.program, pod, preload)?)
}

/// The preloaded library's path.
fn library() -> anyhow::Result<PathBuf> {
    let library = std::env::current_exe().context("/proc/self/exe")?.with_file_name(LIBRARY);
    anyhow::ensure!(
        library.exists(),
        "{}: not there; build package tsi-preload, or leave out --preload",
        library.display()
    );
    Ok(library)
}
