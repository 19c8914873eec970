//! The daemon.

fn main() -> std::process::ExitCode {
    saola::daemon::main()
}
