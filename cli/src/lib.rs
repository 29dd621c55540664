//! `users`: the command line for staff, who work over the API, and for operators, who have credentials of the AWS account.
//! A library, so that the tests run it as a binary of their own package.

mod args;
mod client;
mod commands;
mod failure;
mod input;
mod operator;
mod output;
mod service;
mod session;

use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use clap_complete::Shell;

use crate::args::{Act, Arguments, Command, Global, Invitations, Keys, Operate, Read};
use crate::client::Client;
use crate::commands::Context;
use crate::failure::{Failure, Result};
use crate::input::Input;
use crate::output::Output;

/// Parses the arguments, does the command, and says by the exit code what came of it.
///
/// # Panics
/// When the operating system has no timer and no sockets for the runtime.
#[must_use]
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> ExitCode {
    let Arguments { global, command } = Arguments::parse();
    match Box::pin(run(global, command)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::OutputClosed) {
                output::note(&failure.to_string());
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn run(global: Global, command: Command) -> Result<()> {
    let output = Output { json: global.json };
    match command {
        Command::Read(command) => read(person(&global)?, command).await,
        Command::Act(command) => Box::pin(act(person(&global)?, command)).await,
        Command::Operate(command) => Box::pin(operate(output, command)).await,
        Command::Completions { shell } => completions(shell),
        Command::Man { folder } => manual(&folder),
    }
}

fn person(global: &Global) -> Result<Context> {
    let client = Client::new(&global.url, Input::new(global.no_input, global.password_stdin))?;
    Ok(Context { client, output: Output { json: global.json } })
}

async fn read(mut person: Context, command: Read) -> Result<()> {
    match command {
        Read::Login { email } => person.login(email).await,
        Read::Logout => person.logout().await,
        Read::Whoami => person.whoami().await,
        Read::Find(find) => person.find(&find).await,
        Read::Show { target } => person.show(&target.who).await,
        Read::Sessions { target } => person.sessions(&target.who).await,
        Read::Activity { target, pages } => person.activity(&target.who, &pages).await,
    }
}

async fn act(mut person: Context, command: Act) -> Result<()> {
    match command {
        Act::Create(create) => person.create(create).await,
        Act::Disable { target, reason, until, change } => person.disable(&target.who, reason, until, change).await,
        Act::Enable { target, change } => person.enable(&target.who, change).await,
        Act::EndSessions { target, session, change } => person.end_sessions(&target.who, session, change).await,
        Act::DropFactor { target, factor, confirmation, change } => {
            person.drop_factor(&target.who, &factor, &confirmation, change).await
        }
        Act::SetRole(set) => person.set_role(&set).await,
        Act::SetEmail { target, email, confirmed, change } => {
            person.set_email(&target.who, &email, confirmed, change).await
        }
        Act::ResetPassword { target, end_sessions, change } => {
            person.reset_password(&target.who, end_sessions, change).await
        }
        Act::Confirm { target, change } => person.confirm_address(&target.who, change).await,
        Act::Delete { target, confirmation, change } => person.delete(&target.who, &confirmation, change).await,
        Act::Unsuppress { target, change } => person.unsuppress(&target.who, change).await,
        Act::Invite { email, given, change } => person.invite(&email, given, change).await,
        Act::Invitations(Invitations::List { pages }) => person.list_invitations(&pages).await,
        Act::Invitations(Invitations::Revoke { id, change }) => person.revoke_invitation(id, change).await,
        Act::Invitations(Invitations::Send { id, change }) => person.send_invitation(id, change).await,
    }
}

async fn operate(output: Output, command: Operate) -> Result<()> {
    match command {
        Operate::CreateAdmin { email, name, environment, change } => {
            operator::create_admin(output, &email, &name, &environment, change).await
        }
        Operate::Import(import) => Box::pin(operator::import(output, &import)).await,
        Operate::Export(export) => Box::pin(operator::export(output, &export)).await,
        Operate::VerifyHash => operator::verify_hashes(),
        Operate::Keys(Keys::List { environment }) => operator::list_keys(output, &environment).await,
        Operate::Keys(Keys::Rotate { environment, change }) => {
            operator::rotate_keys(output, &environment, change).await
        }
        Operate::Keys(Keys::Revoke { kid, environment, change }) => {
            operator::revoke_key(output, &kid, &environment, change).await
        }
        Operate::Doctor { environment } => operator::doctor(output, &environment).await,
    }
}

fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "users", &mut script);
    output::write(&script)
}

fn manual(folder: &Path) -> Result<()> {
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Arguments::command(), folder));
    written.map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))
}
