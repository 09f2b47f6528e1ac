//! The program `fluxbase`. Everything is in the library, so that tests can start a listener without a process.

fn main() -> std::process::ExitCode {
    listener::cli::main()
}
