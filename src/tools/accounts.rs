//! `segue accounts`: the way to the first operator.

use std::io::BufRead;

use anyhow::{Context, bail};
use chrono::Utc;
use command_api::passwords::{PasswordPolicy, Passwords, StrongPassword};
use command_api::{USERNAME_CLAIM, erasure, username_claim};
use domain::{Account, AccountCommand, AccountId, Role, Username};
use eventing::{ClaimChange, ExecuteError, Metadata, Order, StreamId, SubjectId};
use serde::Serialize;
use uuid::Uuid;

use crate::Outcome;
use crate::cli::{AccountsCommand, RoleArgument};
use crate::output::Output;
use crate::settings::Settings;
use crate::stack::Stack;

/// An account and what it may do now.
#[derive(Serialize)]
pub(crate) struct Granted {
    account: AccountId,
    role: Role,
    position: u64,
}

pub(crate) async fn run(
    settings: &Settings,
    output: Output,
    command: AccountsCommand,
) -> anyhow::Result<Outcome> {
    let granted = match command {
        AccountsCommand::Erase { name, yes } => return erase(settings, output, &name, yes).await,
        AccountsCommand::Create { name, role } => create(settings, &name, role.into()).await?,
        AccountsCommand::Grant { name, role } => {
            let stack = Stack::open(settings).await?;
            let account = find(&stack, &parse(&name)?).await?;
            grant(&stack, account, role.into()).await?
        }
    };
    output.print(&granted, |granted| {
        format!(
            "account {} has the role {} (position {})",
            granted.account, granted.role, granted.position
        )
    })?;
    Ok(Outcome::Done)
}

async fn create(settings: &Settings, name: &str, role: Role) -> anyhow::Result<Granted> {
    let username = parse(name)?;
    let policy = PasswordPolicy::default();
    let password = read_password(&policy, &username)?;
    let stack = Stack::open(settings).await?;
    let password_hash = Passwords::new(policy)?.hash(&password).await?;
    let account = AccountId::new(Uuid::now_v7());
    let position = register(&stack, account, username, password_hash).await?;
    if role == Role::Listener {
        return Ok(Granted {
            account,
            role,
            position,
        });
    }
    grant(&stack, account, role).await
}

fn parse(name: &str) -> anyhow::Result<Username> {
    Username::parse(name).with_context(|| format!("{name:?} cannot be a user name"))
}

fn read_password(policy: &PasswordPolicy, username: &Username) -> anyhow::Result<StrongPassword> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .context("the password cannot be read from standard input")?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("the password is read from the first line of standard input, which is empty");
    }
    policy
        .judge(password, username.as_str())
        .context("the password is too weak")
}

async fn register(
    stack: &Stack,
    account: AccountId,
    username: Username,
    password_hash: String,
) -> anyhow::Result<u64> {
    let claim = ClaimChange::Take(username_claim(&stack.keys, &username));
    let command = AccountCommand::Register {
        account,
        username,
        password_hash,
        at: Utc::now(),
    };
    let order = Order::<Account> {
        claims: vec![claim],
        creates_subject: true,
        ..Order::new(stream_of(account), command, Metadata::new()).about(SubjectId(account.uuid()))
    };
    match stack.executor.execute(order).await {
        Ok(executed) => Ok(executed.position.get()),
        Err(ExecuteError::ClaimTaken { .. }) => bail!("the {USERNAME_CLAIM} is taken"),
        Err(error) => Err(error.into()),
    }
}

async fn find(stack: &Stack, username: &Username) -> anyhow::Result<AccountId> {
    let stream = stack.log.claim(&username_claim(&stack.keys, username)).await?;
    let stream = stream.with_context(|| format!("there is no account named {:?}", username.as_str()))?;
    Ok(AccountId::new(stream.uuid()))
}

pub(crate) async fn grant(stack: &Stack, account: AccountId, role: Role) -> anyhow::Result<Granted> {
    let command = AccountCommand::GrantRole {
        role,
        granted_by: None,
    };
    let order = Order::<Account>::new(stream_of(account), command, Metadata::new());
    let executed = stack
        .executor
        .execute(order.about(SubjectId(account.uuid())))
        .await?;
    Ok(Granted {
        account,
        role,
        position: executed.position.get(),
    })
}

/// What was done about a person.
#[derive(Serialize)]
struct Erased {
    account: AccountId,
    /// Stored answers that were deleted.
    receipts: u64,
    /// Events set aside that were deleted.
    dead_letters: u64,
}

async fn erase(settings: &Settings, output: Output, name: &str, yes: bool) -> anyhow::Result<Outcome> {
    if !yes {
        bail!(
            "erasing an account cannot be taken back, nor by a backup: say --yes if it is meant; nothing was changed"
        );
    }
    let stack = Stack::open(settings).await?;
    let account = named(&stack, name).await?;
    erasure::record(&stack.executor, account, Utc::now()).await?;
    let deleted = erasure::clear(&stack.executor, account).await?;
    let erased = Erased {
        account,
        receipts: deleted.receipts,
        dead_letters: deleted.dead_letters,
    };
    output.print(&erased, |erased| {
        format!(
            "account {} is erased; running processes follow within a second",
            erased.account
        )
    })?;
    Ok(Outcome::Done)
}

/// The account of this name, or of this id: an erasure that was cut short has no name any more.
async fn named(stack: &Stack, name: &str) -> anyhow::Result<AccountId> {
    let Ok(id) = name.parse::<AccountId>() else {
        return find(stack, &parse(name)?).await;
    };
    let head = stack.log.stream_head(&stream_of(id)).await?;
    head.map(|_| id)
        .with_context(|| format!("there is no account {id}"))
}

fn stream_of(account: AccountId) -> StreamId {
    StreamId::new(AccountId::CATEGORY, account.uuid())
}

impl From<RoleArgument> for Role {
    fn from(role: RoleArgument) -> Self {
        match role {
            RoleArgument::Listener => Self::Listener,
            RoleArgument::Auditor => Self::Auditor,
            RoleArgument::Operator => Self::Operator,
        }
    }
}
