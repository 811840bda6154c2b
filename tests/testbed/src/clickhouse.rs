//! A real ClickHouse, as Debian ships it, on ephemeral loopback ports.
//!
//! `scripts/tools.sh stores` installs it where there is a package.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::authorization_server::free_port;
use crate::http::Message;
use crate::poll::poll;
use crate::process::Process;
use crate::scratch::Scratch;

const PROGRAM: &str = "/usr/sbin/clickhouse-server";
const START: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(20);

/// The server.
#[derive(Debug)]
pub struct ClickHouse {
    _process: Process,
    address: SocketAddr,
}

impl ClickHouse {
    /// Whether there is one on this machine: not every distribution has the package.
    #[must_use]
    pub fn is_installed() -> bool {
        Path::new(PROGRAM).is_file()
    }

    /// Start it with an empty database.
    ///
    /// # Errors
    /// When it is not installed, or does not start.
    pub fn start() -> Result<Self> {
        let scratch = Scratch::new()?;
        let (address, native) = (free_port()?, free_port()?);
        let folder = scratch.path().display().to_string();
        fs::write(scratch.path().join("users.xml"), USERS)?;
        let settings = scratch.path().join("config.xml");
        let text = SETTINGS.replace("FOLDER", &folder).replace("HTTP", &address.port().to_string());
        fs::write(&settings, text.replace("NATIVE", &native.port().to_string()))?;
        let mut argument = OsStr::new("--config-file=").to_owned();
        argument.push(&settings);
        let process =
            Process::start_program(PROGRAM.into(), scratch, &[&argument]).context("run `scripts/tools.sh stores` first")?;
        let server = Self { _process: process, address };
        poll("ClickHouse", START, || server.query("SELECT 1").ok())
            .map_err(|error| error.context(server._process.end_of_log()))?;
        Ok(server)
    }

    /// Where it listens for HTTP.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it answers to a statement: rows as lines, their columns parted by tabs.
    ///
    /// # Errors
    /// What the server says against it.
    pub fn query(&self, statement: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWER))?;
        let (address, length) = (self.address, statement.len());
        write!(stream, "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{statement}")?;
        let answer = Message::read(&mut stream, true)?;
        let text = String::from_utf8(answer.body)?;
        if answer.start.split(' ').nth(1) != Some("200") {
            bail!("{}: {text}", answer.start);
        }
        Ok(text)
    }
}

const USERS: &str = "<?xml version=\"1.0\"?>
<yandex>
 <profiles><default/></profiles>
 <users><default>
  <password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
 </default></users>
 <quotas><default/></quotas>
</yandex>
";

const SETTINGS: &str = "<?xml version=\"1.0\"?>
<yandex>
 <logger><level>warning</level><console>1</console></logger>
 <http_port>HTTP</http_port><tcp_port>NATIVE</tcp_port><listen_host>127.0.0.1</listen_host>
 <path>FOLDER/data/</path><tmp_path>FOLDER/tmp/</tmp_path><user_files_path>FOLDER/files/</user_files_path>
 <format_schema_path>FOLDER/formats/</format_schema_path>
 <mark_cache_size>536870912</mark_cache_size>
 <users_config>FOLDER/users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
</yandex>
";
