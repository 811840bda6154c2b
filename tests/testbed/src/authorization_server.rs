//! A real authorization server: Glewlwyd, as Debian ships it, with an SQLite file, on an ephemeral loopback port.
//!
//! `scripts/tools.sh idp` installs it. It knows one client, and issues tokens to it by `client_credentials`.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jwt_simple::prelude::RS256KeyPair;
use serde_json::{Value, json};

use crate::http::Message;
use crate::poll::poll;
use crate::process::Process;
use crate::scratch::Scratch;

const PROGRAM: &str = "glewlwyd";
/// The tables, as the package brings them.
const TABLES: &str = "/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz";
const START: Duration = Duration::from_secs(20);
const SCOPE: &str = "orders:read";

/// The server.
#[derive(Debug)]
pub struct AuthorizationServer {
    _process: Process,
    address: SocketAddr,
    client: (String, String),
}

impl AuthorizationServer {
    /// Start it with one client of this name and secret.
    ///
    /// # Errors
    /// When it is not installed, or does not start.
    pub fn start(client_id: &str, client_secret: &str) -> Result<Self> {
        let scratch = Scratch::new()?;
        let folder = scratch.path().to_owned();
        let database = folder.join("glewlwyd.db");
        let made = Command::new("sh").args(["-c", "zcat \"$1\" | sqlite3 \"$2\"", "sh", TABLES]).arg(&database).status()?;
        ensure!(made.success(), "there are no tables at {TABLES}: run `make tools` first");
        let address = free_port()?;
        let configuration = folder.join("glewlwyd.conf");
        fs::write(&configuration, settings(address, &database.display().to_string()))?;
        let arguments = [OsStr::new("--config-file"), configuration.as_os_str()];
        let process = Process::start_program(PROGRAM.into(), scratch, &arguments).context("run `make tools` first")?;
        let server = Self { _process: process, address, client: (client_id.to_owned(), client_secret.to_owned()) };
        poll("the authorization server", START, || server.call("GET", "/config", &[], b"").ok().map(|_| ()))
            .map_err(|error| error.context(server._process.end_of_log()))?;
        server.set_up()?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The path of its token endpoint.
    #[must_use]
    pub const fn token_path(&self) -> &'static str {
        "/api/oidc/token"
    }

    /// What it says of a token (RFC 7662).
    ///
    /// # Errors
    /// When it says nothing.
    pub fn introspect(&self, token: &str) -> Result<Value> {
        let credentials = STANDARD.encode(format!("{}:{}", self.client.0, self.client.1));
        let headers =
            [("authorization", format!("Basic {credentials}")), ("content-type", "application/x-www-form-urlencoded".to_owned())];
        let answer = self.call("POST", "/api/oidc/introspect", &headers, format!("token={token}").as_bytes())?;
        serde_json::from_slice(&answer.body).context("the answer is not JSON")
    }

    /// An administrator's part: a plugin that issues tokens, a scope and the client.
    fn set_up(&self) -> Result<()> {
        let signed_in = self.post("/api/auth/", None, &json!({"username": "admin", "password": "password"}))?;
        let cookie = signed_in.headers.get("set-cookie").context("no session")?;
        let cookie = cookie.split(';').next().unwrap_or_default();
        let key = RS256KeyPair::generate(2048)?;
        let parameters = json!({
            "iss": format!("http://{}/api/oidc", self.address), "jwt-type": "rsa", "jwt-key-size": "256",
            "key": key.to_pem()?, "cert": key.public_key().to_pem()?,
            "access-token-duration": 300, "refresh-token-duration": 86400, "code-duration": 600, "refresh-token-rolling": true,
            "allow-non-oidc": true, "auth-type-client-enabled": true, "auth-type-password-enabled": false,
            "auth-type-refresh-enabled": true, "auth-type-code-enabled": false, "auth-type-token-enabled": false,
            "auth-type-id-token-enabled": true, "auth-type-none-enabled": false, "auth-type-implicit-enabled": false,
            "auth-type-device-enabled": false, "allowed-scope": ["openid"], "introspection-revocation-allowed": true,
            "introspection-revocation-allow-target-client": true, "introspection-revocation-auth-scope": [],
            "subject-type": "public", "name-claim": "no", "email-claim": "no", "request-parameter-allow": true,
        });
        let plugin = json!({
            "module": "oidc", "name": "oidc", "display_name": "OIDC", "order_rank": 0, "enabled": true, "parameters": parameters,
        });
        let scope = json!({
            "name": SCOPE, "display_name": SCOPE, "description": SCOPE, "password_required": true, "password_max_age": 0,
            "scheme": {},
        });
        let (id, secret) = &self.client;
        let client = json!({
            "client_id": id, "name": id, "client_secret": secret, "password": secret, "confidential": true,
            "token_endpoint_auth_method": ["client_secret_basic", "client_secret_post"], "enabled": true,
            "redirect_uri": ["http://127.0.0.1:9/cb"], "authorization_type": ["client_credentials"], "scope": [SCOPE],
        });
        for (path, body) in [("/api/mod/plugin/", plugin), ("/api/scope/", scope), ("/api/client/", client)] {
            self.post(path, Some(cookie), &body)?;
        }
        Ok(())
    }

    fn post(&self, path: &str, cookie: Option<&str>, body: &Value) -> Result<Message> {
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(cookie.map(|cookie| ("cookie", cookie.to_owned())));
        self.call("POST", path, &headers, body.to_string().as_bytes())
    }

    fn call(&self, method: &str, path: &str, headers: &[(&str, String)], body: &[u8]) -> Result<Message> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(START))?;
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (address, length) = (self.address, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat())?;
        let answer = Message::read(&mut stream, true)?;
        if answer.start.split(' ').nth(1) != Some("200") {
            bail!("{method} {path}: {} {}", answer.start, String::from_utf8_lossy(&answer.body));
        }
        Ok(answer)
    }
}

/// A port that nobody listens on. Somebody else may take it before the server does, and then the server ends.
pub(crate) fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn settings(address: SocketAddr, database: &str) -> String {
    let modules = ["user", "client", "user_auth_scheme", "plugin"].map(|kind| {
        let folder = kind.rsplit('_').next().unwrap_or(kind);
        format!("{kind}_module_path=\"/usr/lib/glewlwyd/{folder}\"\n")
    });
    format!(
        "port={}\nbind_address=\"127.0.0.1\"\nexternal_url=\"http://{address}\"\nlogin_url=\"login.html\"\napi_prefix=\"api\"\n\
         log_mode=\"console\"\nlog_level=\"WARNING\"\ncookie_secure=0\nsession_expiration=3600\nsession_key=\"S\"\n\
         admin_scope=\"g_admin\"\nprofile_scope=\"g_profile\"\n{}database = {{ type=\"sqlite3\"; path=\"{database}\"; }};\n",
        address.port(),
        modules.concat(),
    )
}
