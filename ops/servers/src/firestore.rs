//! A Firestore emulator: Google's where the machine has it, else npm's `@firestore-emulator/server`.
//!
//! Google's is the better judge: it enforces limits and preconditions, and its commits are atomic. npm's knows few
//! calls and is not atomic, and installs anywhere. `SEGUE_FIRESTORE_EMULATOR=google` or `npm` chooses.

use std::{
    fs::File,
    io::Write as _,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{Folder, Process, ServerError, ports::free_port};

const SERVER: &str = "the Firestore emulator";
const PATIENCE: Duration = Duration::from_secs(60);
const CHOICE: &str = "SEGUE_FIRESTORE_EMULATOR";
/// The npm emulator's manifest, lock file and start script.
const NPM_FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/firestore");
/// Where a Cloud SDK lies when its `gcloud` is not found, and the emulator in it.
const CLOUD_SDKS: [&str; 3] = [
    "/usr/lib/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/opt/google-cloud-sdk",
];
const GOOGLE_JAR: &str = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar";

/// Whose emulator serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emulator {
    /// Google's, from a Cloud SDK, on Java.
    Google,
    /// npm's `@firestore-emulator/server`, on Node.
    Npm,
}

/// A private Firestore emulator. It keeps nothing on the disk: whatever ends it leaves it empty.
#[derive(Debug)]
pub struct Firestore {
    process: Option<Process>,
    folder: Folder,
    program: Program,
    port: u16,
}

/// What runs it.
#[derive(Debug)]
enum Program {
    Google { jar: PathBuf },
    Npm { modules: PathBuf },
}

impl Firestore {
    /// Starts one on a free port, and says on standard error whose it is.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn start() -> Result<Self, ServerError> {
        let mut server = Self {
            process: None,
            folder: Folder::temporary()?,
            program: Program::find()?,
            port: free_port()?,
        };
        server.restart().await?;
        // Past the test harness, which shows what a test prints only when it fails.
        let _ = writeln!(
            std::io::stderr(),
            "Firestore is served by {}",
            server.emulator().name()
        );
        Ok(server)
    }

    /// Whose it is.
    #[must_use]
    pub fn emulator(&self) -> Emulator {
        match self.program {
            Program::Google { .. } => Emulator::Google,
            Program::Npm { .. } => Emulator::Npm,
        }
    }

    /// What `FIRESTORE_EMULATOR_HOST` is set to.
    #[must_use]
    pub fn host(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Whether it answers.
    pub async fn is_ready(&self) -> bool {
        let answer = answers(self.emulator(), self.port);
        tokio::time::timeout(PATIENCE / 20, answer).await.unwrap_or(false)
    }

    /// SIGKILL. All documents are lost.
    pub fn kill(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill();
        }
    }

    /// It keeps its connections and answers nothing.
    pub fn pause(&self) {
        if let Some(process) = &self.process {
            process.pause();
        }
    }

    /// It goes on after a pause.
    pub fn resume(&self) {
        if let Some(process) = &self.process {
            process.resume();
        }
    }

    /// Ends it. All documents are lost.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same port, empty.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.stop();
        let mut command = self.program.command(self.port);
        let mut process = Process::spawn(SERVER, &mut command, &self.folder)?;
        let (port, emulator) = (self.port, self.emulator());
        process.until_ready(PATIENCE, || answers(emulator, port)).await?;
        self.process = Some(process);
        Ok(())
    }
}

impl Emulator {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Google => "Google's emulator",
            Self::Npm => "npm's @firestore-emulator/server",
        }
    }
}

impl Program {
    fn find() -> Result<Self, ServerError> {
        let choice = std::env::var(CHOICE).unwrap_or_default();
        match choice.as_str() {
            "google" => Self::google().ok_or(ServerError::NotInstalled {
                program: format!("Google's Firestore emulator with Java, named by {CHOICE},"),
                package: "google-cloud-cli-firestore-emulator",
            }),
            "npm" => Self::npm(),
            "" => Self::google().map_or_else(Self::npm, Ok),
            other => Err(ServerError::io(
                format!("{CHOICE} is {other:?}: it may be google or npm"),
                std::io::ErrorKind::InvalidInput.into(),
            )),
        }
    }

    fn google() -> Option<Self> {
        on_path("java")?;
        // `gcloud` is `bin/gcloud` of its Cloud SDK.
        let gcloud = on_path("gcloud").and_then(|gcloud| gcloud.canonicalize().ok());
        let sdk = gcloud.as_deref().and_then(|gcloud| gcloud.parent()?.parent());
        let sdks = sdk.into_iter().chain(CLOUD_SDKS.iter().map(Path::new));
        let jar = sdks.map(|sdk| sdk.join(GOOGLE_JAR)).find(|jar| jar.exists())?;
        Some(Self::Google { jar })
    }

    fn npm() -> Result<Self, ServerError> {
        for program in ["node", "npm"] {
            on_path(program).ok_or(ServerError::NotInstalled {
                program: program.to_owned(),
                package: if program == "npm" { "npm" } else { "nodejs" },
            })?;
        }
        installed_modules().map(|modules| Self::Npm { modules })
    }

    fn command(&self, port: u16) -> Command {
        match self {
            Self::Google { jar } => {
                let mut command = Command::new("java");
                // Its messages are part of what clients see, so they must not follow the machine's language.
                command.args(["-Duser.language=en", "-Xmx512m"]);
                // It lives for seconds: starting soon is worth more to it than running fast.
                command.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
                command.arg(jar);
                command.args([
                    "com.google.cloud.datastore.emulator.firestore.CloudFirestore",
                    "start",
                ]);
                command.args(["--host=127.0.0.1".to_owned(), format!("--port={port}")]);
                command
            }
            Self::Npm { modules } => {
                let mut command = Command::new("node");
                command.arg(Path::new(NPM_FILES).join("start.js"));
                command.env("NODE_PATH", modules).env("PORT", port.to_string());
                command
            }
        }
    }
}

/// npm's listens when it is ready. Google's listens before that, and then answers `GET /`.
async fn answers(emulator: Emulator, port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
        return false;
    };
    emulator == Emulator::Npm || is_greeted(&mut stream).await.unwrap_or(false)
}

async fn is_greeted(stream: &mut TcpStream) -> std::io::Result<bool> {
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut status = [0; 12];
    let read = tokio::time::timeout(Duration::from_secs(2), stream.read_exact(&mut status));
    read.await??;
    Ok(&status == b"HTTP/1.1 200")
}

/// The npm emulator's modules, installed once into the build folder as the lock file says.
fn installed_modules() -> Result<PathBuf, ServerError> {
    let io = |error| ServerError::io("cannot install the npm Firestore emulator", error);
    let cache = build_folder().join("firestore-emulator");
    std::fs::create_dir_all(&cache).map_err(io)?;
    // Several test programs may come here at once.
    let lock = File::create(cache.join("lock")).map_err(io)?;
    lock.lock().map_err(io)?;
    let wanted = std::fs::read(Path::new(NPM_FILES).join("package-lock.json")).map_err(io)?;
    let installed = cache.join("installed-package-lock.json");
    if std::fs::read(&installed).ok().as_ref() != Some(&wanted) {
        install(&cache)?;
        std::fs::write(&installed, wanted).map_err(io)?;
    }
    Ok(cache.join("node_modules"))
}

fn install(cache: &Path) -> Result<(), ServerError> {
    let io = |error| ServerError::io("npm cannot install the Firestore emulator", error);
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(Path::new(NPM_FILES).join(file), cache.join(file)).map_err(io)?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(cache);
    let output = npm.output().map_err(io)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io(std::io::Error::other(said)))
}

/// Where cargo builds.
fn build_folder() -> PathBuf {
    let chosen = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    chosen.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}
