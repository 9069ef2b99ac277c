//! The command line.

use crate::core::network::{fits, misfit};
use clap::{Parser, Subcommand};
use ipnet::IpNet;
use netd_api::NetworkName;
use std::path::PathBuf;

/// The network of a host's containers: links, addresses, published ports, names.
#[derive(Debug, Parser)]
#[command(name = "netd", version)]
pub struct Arguments {
    /// Where the socket netd.sock is.
    #[arg(long, global = true, value_name = "DIR", default_value = "/run/flotilla")]
    pub run_dir: PathBuf,
    /// Where the journal is.
    #[arg(long, global = true, value_name = "DIR", default_value = "/var/lib/flotilla")]
    pub state_dir: PathBuf,
    /// The network's name in requests.
    #[arg(long, value_name = "NAME", default_value = netd_api::DEFAULT_NETWORK)]
    #[arg(value_parser = |s: &str| NetworkName::new(s))]
    pub network: NetworkName,
    /// Name of the link that has the host's own addresses on the networks.
    #[arg(long, value_name = "NAME", default_value = "flotilla0", value_parser = link_name)]
    pub device: String,
    /// Name of the nftables table.
    #[arg(long, value_name = "NAME", default_value = "flotilla", value_parser = table_name)]
    pub table: String,
    /// The containers' subnet, /8 to /29, or /48 to /124 of IPv6; twice for both [default:
    /// 10.89.0.0/16, or another one that no route of the host overlaps].
    #[arg(long = "subnet", value_name = "NET", value_parser = subnet)]
    pub subnets: Vec<IpNet>,
    /// The domain in which containers find each other's short names.
    #[arg(long, value_name = "DOMAIN", default_value = "flotilla.internal", value_parser = domain)]
    pub search: String,
    /// Where the host's own name servers are named; they are asked for the world's names.
    #[arg(long, value_name = "FILE", default_value = "/etc/resolv.conf")]
    pub resolv_conf: PathBuf,
    /// How many network namespaces wait ready.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub pool: u16,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Shows what netd has and what stands in its way.
    Status,
    /// Shows what the kernel lacks of what is wanted, and what it has beside it; an error if there is
    /// anything.
    Diff,
    /// Ends netd and removes every trace of it: links, table, journal; and sets the kernel's
    /// parameters back to what they were.
    Down,
}

/// Parses the process's arguments; prints help, version or an error and ends the process.
pub fn parse() -> Arguments {
    Arguments::parse()
}

fn link_name(name: &str) -> Result<String, String> {
    netd_api::LinkName::new(name).map(String::from).map_err(|e| e.to_string())
}

fn table_name(name: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if fits { Ok(name.to_owned()) } else { Err("it takes 1 to 64 of a-z A-Z 0-9 - _".to_owned()) }
}

fn subnet(text: &str) -> Result<IpNet, String> {
    let net: IpNet = text.parse().map_err(|_| "it takes a form like 10.89.0.0/16".to_owned())?;
    if fits(&net) { Ok(net) } else { Err(format!("it {}", misfit(&net))) }
}

fn domain(text: &str) -> Result<String, String> {
    netd_api::DnsName::new(text).map(String::from).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn bad_values_are_refused() {
        for bad in [
            ["--device", "a/b"],
            ["--device", "sixteen-letters-"],
            ["--subnet", "10.0.0.1/16"],
            ["--subnet", "10.0.0.0/30"],
            ["--subnet", "fd00::/32"],
            ["--table", "a b"],
            ["--search", "A.b"],
            ["--pool", "-1"],
        ] {
            assert!(Arguments::try_parse_from(["netd"].iter().chain(&bad)).is_err(), "{bad:?}");
        }
    }
}
