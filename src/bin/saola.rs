//! The operator's tool.

fn main() -> std::process::ExitCode {
    saola::tool::main()
}
