//! The `audit` commands: whether an audit log is what was written, and what stands in it.

mod grep;
mod keys;
mod lines;
mod verify;

use clap::Subcommand;

use self::grep::GrepArguments;
use self::verify::VerifyArguments;

/// What to do with an audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    Verify(VerifyArguments),
    Grep(GrepArguments),
}

/// Runs the command; whether nothing is wrong with the log, or something was found in it.
///
/// # Errors
/// A file or a key cannot be read, or the output cannot be written.
pub fn run(command: &AuditCommand) -> anyhow::Result<bool> {
    match command {
        AuditCommand::Verify(arguments) => verify::run(arguments),
        AuditCommand::Grep(arguments) => grep::run(arguments),
    }
}
