//! kubectl's own connection flags, with kubectl's names and meaning. They come after the plugin's name: kubectl hands
//! on nothing that stands before it.

use crate::cluster::{ConnectOptions, Impersonation, RequestTimeout, parse_duration};
use clap::Args;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The flags. `-A/--all-namespaces` belongs to the subcommands that know what it means there.
///
/// As with kubectl, the last one counts where a flag is given twice.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Cluster connection (as for kubectl)", args_override_self = true)]
pub struct KubectlFlags {
    /// Path to the kubeconfig file to use
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The name of the kubeconfig context to use
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// The name of the kubeconfig cluster to use
    #[arg(long, global = true, value_name = "NAME")]
    cluster: Option<String>,
    /// The name of the kubeconfig user to use
    #[arg(long, global = true, value_name = "NAME")]
    user: Option<String>,
    /// The namespace; without it, that of the context
    #[arg(short, long, global = true, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Username to impersonate, a user or a service account in a namespace
    #[arg(long = "as", global = true, value_name = "USER")]
    impersonate: Option<String>,
    /// Group to impersonate, may be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP", action = clap::ArgAction::Append)]
    impersonate_groups: Vec<String>,
    /// UID to impersonate
    #[arg(long = "as-uid", global = true, value_name = "UID")]
    impersonate_uid: Option<String>,
    /// Extra of the user to impersonate, may be repeated
    #[arg(long = "as-user-extra", global = true, value_name = "KEY=VALUE", value_parser = parse_extra, action = clap::ArgAction::Append)]
    impersonate_extra: Vec<(String, String)>,
    /// The address and port of the API server
    #[arg(short, long, global = true, value_name = "URL")]
    server: Option<String>,
    /// Bearer token for authentication to the API server
    #[arg(long, global = true, value_name = "TOKEN", value_parser = parse_secret)]
    token: Option<SecretString>,
    /// Username for basic authentication to the API server
    #[arg(long, global = true, value_name = "NAME", hide = true)]
    username: Option<String>,
    /// Password for basic authentication to the API server
    #[arg(long, global = true, value_name = "PASSWORD", hide = true, value_parser = parse_secret)]
    password: Option<SecretString>,
    /// Path to a certificate file for the certificate authority
    #[arg(long, global = true, value_name = "FILE")]
    certificate_authority: Option<PathBuf>,
    /// Path to a client certificate file for TLS
    #[arg(long, global = true, value_name = "FILE")]
    client_certificate: Option<PathBuf>,
    /// Path to a client key file for TLS
    #[arg(long, global = true, value_name = "FILE")]
    client_key: Option<PathBuf>,
    /// Do not check the API server's certificate; the connection is insecure then
    #[arg(long, global = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = parse_bool, value_name = "true|false")]
    insecure_skip_tls_verify: Option<bool>,
    /// Server name to check the API server's certificate against
    #[arg(long, global = true, value_name = "NAME")]
    tls_server_name: Option<String>,
    /// Do not ask the API server to compress its answers
    #[arg(long, global = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = parse_bool, value_name = "true|false", hide = true)]
    disable_compression: Option<bool>,
    /// How long one request may take (5s, 2m; 0 for no limit); without it, 10s to read and 15s to write
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration)]
    request_timeout: Option<Duration>,
    /// Accepted for kubectl's sake; nothing is cached
    #[arg(long, global = true, value_name = "DIRECTORY", hide = true)]
    cache_dir: Option<PathBuf>,
    /// How much to tell on standard error: from 6 on, every request with its answer's code
    #[arg(short = 'v', long = "v", global = true, value_name = "LEVEL", default_value_t = 0)]
    verbosity: u8,
}

impl KubectlFlags {
    /// The flags as plain data.
    pub fn connect_options(&self) -> ConnectOptions {
        let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in &self.impersonate_extra {
            extra.entry(key.clone()).or_default().push(value.clone());
        }
        ConnectOptions {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            cluster: self.cluster.clone(),
            user: self.user.clone(),
            namespace: self.namespace.clone(),
            server: self.server.clone(),
            token: self.token.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            certificate_authority: self.certificate_authority.clone(),
            client_certificate: self.client_certificate.clone(),
            client_key: self.client_key.clone(),
            insecure_skip_tls_verify: self.insecure_skip_tls_verify.unwrap_or(false),
            tls_server_name: self.tls_server_name.clone(),
            disable_compression: self.disable_compression,
            impersonate: Impersonation {
                user: self.impersonate.clone(),
                groups: self.impersonate_groups.clone(),
                uid: self.impersonate_uid.clone(),
                extra,
            },
            request_timeout: match self.request_timeout {
                None => RequestTimeout::Default,
                Some(Duration::ZERO) => RequestTimeout::Unlimited,
                Some(duration) => RequestTimeout::After(duration),
            },
        }
    }

    /// `--namespace`, where it was given.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref().filter(|namespace| !namespace.is_empty())
    }

    /// `-v`
    pub fn verbosity(&self) -> u8 {
        self.verbosity
    }
}

/// Go's `strconv.ParseBool`, which kubectl's flags go by.
fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

fn parse_extra(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    if key.is_empty() { Err("the key is empty".to_owned()) } else { Ok((key.to_owned(), value.to_owned())) }
}

#[allow(clippy::unnecessary_wraps)] // the shape that clap wants of a parser
fn parse_secret(text: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(text.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser, Debug)]
    struct Program {
        #[command(flatten)]
        flags: KubectlFlags,
        #[command(subcommand)]
        command: Command,
    }

    #[derive(clap::Subcommand, Debug)]
    enum Command {
        Inspect {
            target: Vec<String>,
            #[arg(short, long)]
            output: Vec<String>,
        },
    }

    fn parse(line: &str) -> Result<Program, clap::Error> {
        Program::try_parse_from(std::iter::once("kubectl-wi").chain(line.split_whitespace()))
    }

    #[test]
    fn every_flag_of_kubectl_before_and_after_the_subcommand() {
        let flags = "--kubeconfig k --context c --cluster cl --user u -n ns --as me --as-group a --as-group b,c \
                     --as-uid 7 --as-user-extra x=1 --as-user-extra x=2=3 -s https://h:1 --certificate-authority ca \
                     --client-certificate cc --client-key ck --insecure-skip-tls-verify --tls-server-name t \
                     --request-timeout 1m30s --token secret --cache-dir d --disable-compression=true -v 6 \
                     --username n --password secret";
        for line in [format!("{flags} inspect deploy/velero"), format!("inspect deploy/velero {flags}")] {
            let program = parse(&line).unwrap();
            let Command::Inspect { target, .. } = &program.command;
            assert_eq!(target, &["deploy/velero"]);
            assert_eq!(program.flags.verbosity(), 6);
            let options = program.flags.connect_options();
            assert_eq!(options.namespace.as_deref(), Some("ns"));
            assert_eq!(options.server.as_deref(), Some("https://h:1"));
            assert_eq!(options.impersonate.groups, ["a", "b,c"]);
            assert_eq!(options.impersonate.extra["x"], ["1", "2=3"]);
            assert!(options.insecure_skip_tls_verify);
            assert_eq!(options.disable_compression, Some(true));
            assert_eq!(options.request_timeout, RequestTimeout::After(Duration::from_secs(90)));
            assert!(!format!("{program:?} {options:?}").contains("secret"));
        }
    }

    #[test]
    fn the_last_one_counts_and_lists_still_add_up() {
        let program = parse("inspect -n one --namespace=two -o text -o json --as-group a --as-group b").unwrap();
        let Command::Inspect { output, .. } = &program.command;
        assert_eq!((program.flags.namespace(), output.len()), (Some("two"), 2));
        assert_eq!(program.flags.connect_options().impersonate.groups.len(), 2);
    }

    #[test]
    fn a_boolean_takes_its_value_after_an_equals_sign_only() {
        let program = parse("inspect --insecure-skip-tls-verify pod/x").unwrap();
        let Command::Inspect { target, .. } = &program.command;
        assert_eq!(target, &["pod/x"]);
        assert!(
            !parse("inspect --insecure-skip-tls-verify=F").unwrap().flags.connect_options().insecure_skip_tls_verify
        );
        assert!(parse("inspect --insecure-skip-tls-verify=maybe").is_err());
    }

    #[test]
    fn zero_is_no_limit_and_nonsense_is_refused() {
        let timeout = |line: &str| parse(line).unwrap().flags.connect_options().request_timeout;
        assert_eq!(timeout("inspect"), RequestTimeout::Default);
        assert_eq!(timeout("inspect --request-timeout=0"), RequestTimeout::Unlimited);
        assert_eq!(timeout("inspect --request-timeout=5"), RequestTimeout::After(Duration::from_secs(5)));
        for line in
            ["inspect --request-timeout=-1", "inspect --request-timeout=1x", "inspect --as-user-extra=x", "inspect -v"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
