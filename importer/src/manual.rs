//! `vecrank completions` and `vecrank man`: both are made from the command line's own declaration.

use crate::args::{Cli, CompletionsArgs, ManArgs};
use crate::failure::{Failure, Result};
use clap::CommandFactory;
use std::io::Write;

pub fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "vecrank", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(())
}

pub fn page(args: &ManArgs) -> Result<()> {
    let mut command = Cli::command();
    command.build();
    let command = match &args.subcommand {
        None => command,
        Some(name) => {
            let Some(subcommand) = command.find_subcommand(name).cloned() else {
                let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
                return Err(Failure::new(format!("no subcommand \"{name}\"; there is {}", names.join(", "))));
            };
            // Manual pages of subcommands are called vecrank-import and so on.
            let display_name = format!("vecrank-{name}");
            subcommand.display_name(display_name)
        }
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    std::io::stdout().lock().write_all(&page)?;
    Ok(())
}
