//! Structured logs: to the journal under systemd, readable on a terminal.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging. `RUST_LOG` narrows or widens it; the default is `info` for us and `warn` for libraries.
pub fn start() {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,eisbach_agent=info"));
    // systemd sets this where standard error is the journal; fields then stay fields.
    let under_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let registry = tracing_subscriber::registry().with(filter);
    match tracing_journald::layer() {
        Ok(journal) if under_journal => registry.with(journal).init(),
        Ok(_) | Err(_) => {
            let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
            registry
                .with(
                    tracing_subscriber::fmt::layer()
                        .with_writer(std::io::stderr)
                        .with_ansi(ansi)
                        .with_target(false),
                )
                .init();
        }
    }
}
