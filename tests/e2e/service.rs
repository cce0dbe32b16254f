//! `matchcut serve` as clients of AWS Media Replay Engine use it, and as those who run it do.

use std::path::Path;
use std::process::Command;

use crate::support::python::python;
use crate::support::{Done, Running, Work, repository};

pub const KEY: &str = "ADMINOFTESTS";
pub const SECRET: &str = "a secret/of+tests";

/// A server on a free port, with a key for admins in its environment, and its address.
pub fn server(work: &mut Work, more: &[&str]) -> (Running, String) {
    work.set_env("MATCHCUT_ADMIN_ACCESS_KEY_ID", KEY);
    work.set_env("MATCHCUT_ADMIN_SECRET_ACCESS_KEY", SECRET);
    let args = ["serve", "--listen", "127.0.0.1:0", "--data", "data"];
    let mut running = work.matchcut(args.iter().chain(more));
    let ready = running.until_it_says(|out| out.ends_with('\n'));
    let url = ready.trim().strip_prefix("matchcut is ready at ");
    let url = url.unwrap().trim_end_matches('/').to_owned();
    (running, url)
}

/// Told to stop, it stops, and has said nothing of secrets.
pub fn stops(running: Running) -> Done {
    running.terminate();
    let done = running.wait().exits(0);
    for text in [&done.stdout, &done.stderr] {
        done.check(!text.contains(SECRET), "it told the secret");
    }
    done
}

/// Runs a program of the tests that asks the service as MRE's clients do, with the key of the admin; what it prints.
pub fn client(python: &Path, program: &str, url: &str, args: &[&str]) -> String {
    let output = Command::new(python)
        .arg(repository().join("tests/programs").join(program))
        .args(args)
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_DEFAULT_REGION", "eu-central-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_MAX_ATTEMPTS", "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn clients_of_mre_find_it_and_are_served() {
    let Some(python) = python("boto3, requests_aws4auth") else {
        return;
    };
    let mut work = Work::new();
    let (running, url) = server(&mut work, &[]);
    let parts = ["models", "plugins", "profiles", "others", "strangers"];
    let told = client(&python, "mre_client.py", &url, &[]);
    assert_eq!(told.lines().collect::<Vec<_>>(), parts);
    stops(running);
}

#[test]
fn keys_are_told_once_and_the_store_outlives_the_server() {
    let work = Work::new();
    let added = work.ok(["access", "add", "--data", "data", "--role", "editor"]);
    let value = |line: &str, name: &str| {
        let (found, value) = line.split_once('=').unwrap();
        assert_eq!(found, name);
        value.to_owned()
    };
    let lines: Vec<&str> = added.stdout.lines().collect();
    let [id, secret] = lines[..] else {
        added.fail("not two lines");
    };
    let id = value(id, "AWS_ACCESS_KEY_ID");
    let secret = value(secret, "AWS_SECRET_ACCESS_KEY");
    let listed = work.ok(["access", "list", "--data", "data"]);
    listed.check(
        listed.stdout.starts_with(&format!("{id} editor")),
        "not listed",
    );
    listed.check(!listed.stdout.contains(&secret), "the secret is told again");
    work.ok(["access", "remove", "--data", "data", &id]);
    let none = work.ok(["access", "list", "--data", "data"]);
    assert_eq!(none.stdout, "");
    work.fails(2, ["access", "remove", "--data", "data", &id])
        .says(&format!("data has no access key {id}"));
}

#[test]
fn it_is_not_opened_to_everybody_by_mistake() {
    let mut work = Work::new();
    let open = ["--listen", "0.0.0.0:0", "--insecure-loopback"];
    work.fails(2, ["serve", "--data", "data"].iter().chain(&open))
        .says("0.0.0.0:0 is not an address of this machine alone");
    let (running, _) = server(&mut work, &["--insecure-loopback"]);
    stops(running);
    work.set_env("MATCHCUT_ADMIN_SECRET_ACCESS_KEY", "");
    work.fails(2, ["serve", "--data", "data"]).says(
        "MATCHCUT_ADMIN_ACCESS_KEY_ID is set and MATCHCUT_ADMIN_SECRET_ACCESS_KEY is not: set both",
    );
}
