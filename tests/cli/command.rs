//! The command line as a process, with a home of its own.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tests::{PASSWORD, TestApp};

pub struct Users {
    pub home: TempDir,
    url: String,
}

/// A stack that writes the environment of its functions, and its operator.
pub struct Operator {
    pub app: TestApp,
    pub users: Users,
    pub data: TempDir,
}

/// What came of a command.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Users {
    /// At a machine without a session.
    pub fn of(app: &TestApp) -> Self {
        Self::at(&app.stack.url())
    }

    pub fn at(url: &str) -> Self {
        Self { home: TempDir::new().unwrap(), url: url.to_owned() }
    }

    /// Somebody who is signed in.
    pub async fn signed_in(app: &TestApp, email: &str) -> Self {
        let users = Self::of(app);
        let ran = users.run_with(&format!("{PASSWORD}\n"), &["login", email, "--password-stdin"]).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        users
    }

    pub async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with("", arguments).await
    }

    /// Nothing is asked at a terminal: there may be one around the tests.
    pub async fn run_with(&self, input: &str, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        let input = input.to_owned();
        // The service runs on this thread.
        let output = tokio::task::spawn_blocking(move || finish(&mut command, &input)).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_command_line"));
        command
            .args(arguments)
            .arg("--no-input")
            .env("USERS_URL", &self.url)
            .env("HOME", self.home.path())
            .env_remove("XDG_CONFIG_HOME")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

impl Operator {
    pub async fn start() -> Self {
        let data = TempDir::new().unwrap();
        let app = TestApp::start_in(Some(data.path()), &[]).await;
        Self { users: Users::of(&app), app, data }
    }

    pub async fn run(&self, arguments: &[&str]) -> Ran {
        self.users.run(&[arguments, &["--env-file", &self.path("functions.env")]].concat()).await
    }

    /// Of a file beside the stack's.
    pub fn path(&self, name: &str) -> String {
        self.data.path().join(name).to_str().unwrap().to_owned()
    }
}

fn finish(command: &mut Command, input: &str) -> Output {
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that reads nothing may be gone already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

impl Ran {
    /// What a command that was done printed with `--json`.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The one line of a command that was not done.
    pub fn refusal(&self) -> (i32, &str) {
        assert_eq!((self.stdout.as_str(), self.stderr.lines().count()), ("", 1), "{self:?}");
        (self.code, self.stderr.trim_end())
    }
}
